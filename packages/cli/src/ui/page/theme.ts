/** Dark or light: as the system says, or as the user chose. */
import { byId, setText } from "./dom.ts";

const CHOICES = ["system", "light", "dark"] as const;
type Choice = (typeof CHOICES)[number];
const KEY = "guidance-theme";

const dark = window.matchMedia("(prefers-color-scheme: dark)");

function stored(): Choice {
  try {
    return CHOICES.find((choice) => choice === localStorage.getItem(KEY)) ?? "system";
  } catch {
    return "system";
  }
}

/** Sets it up; `changed` is told of each other one. */
export function followTheme(changed: () => void): void {
  let choice = stored();
  const button = byId("theme");
  const apply = () => {
    document.documentElement.dataset.theme = choice === "system" ? (dark.matches ? "dark" : "light") : choice;
    setText(button, `Theme: ${choice}`);
  };
  const change = () => {
    apply();
    changed();
  };
  dark.addEventListener("change", change);
  button.addEventListener("click", () => {
    choice = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length];
    try {
      localStorage.setItem(KEY, choice);
    } catch {}
    change();
  });
  apply();
}
