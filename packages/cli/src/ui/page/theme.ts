/** Dark or light: as the system says, or as the user chose. */
import type { Theme } from "./colours.ts";
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

/** Sets it up; `changed` is told each other one. */
export function followTheme(changed: (theme: Theme) => void): Theme {
  let choice = stored();
  const button = byId("theme");
  const apply = (): Theme => {
    const theme = choice === "system" ? (dark.matches ? "dark" : "light") : choice;
    document.documentElement.dataset.theme = theme;
    setText(button, `Theme: ${choice}`);
    return theme;
  };
  dark.addEventListener("change", () => changed(apply()));
  button.addEventListener("click", () => {
    choice = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length];
    try {
      localStorage.setItem(KEY, choice);
    } catch {}
    changed(apply());
  });
  return apply();
}
