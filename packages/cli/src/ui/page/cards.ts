/** What each selected run is and how far it is, and in which settings several differ. */
import { lookOf } from "../../figures/look.ts";
import { settingNames } from "../../figures/names.ts";
import type { RunDetail } from "../protocol.ts";
import { byId, element, swatch } from "./dom.ts";
import { duration, percent, short } from "./format.ts";
import type { View } from "./panels.ts";
import { ARMS } from "./state.ts";

const HEADINGS = ["", "step", "ETA", "images/s", "rate", "validation", "test"];

/** Replaces what `host` has, where it differs: nothing flickers, and a selection of text stays. */
function put(host: HTMLElement, children: readonly HTMLElement[]): void {
  const isSame =
    children.length === host.children.length && children.every((child, i) => child.isEqualNode(host.children[i]));
  if (!isSame) host.replaceChildren(...children);
}

export function showCards(view: View): void {
  put(
    byId("cards"),
    view.ids.flatMap((id, index) => {
      const detail = view.state.details.get(id);
      return detail ? [card(view, detail, index)] : [];
    }),
  );
  put(byId("differences"), differences(view));
}

function card({ state, ids }: View, detail: RunDetail, index: number): HTMLElement {
  const rows = ARMS.flatMap((arm) => {
    const progress = state.arm(detail.id, arm)?.progress;
    if (!progress) return [];
    const { step, totalSteps, eta, imagesPerSecond, learningRate, top1 } = progress;
    const bar = element("progress", { max: String(totalSteps), value: String(step), "aria-label": `steps of ${arm}` });
    const { colour, dash } = lookOf(arm, index, ids.length);
    const isRunning = detail.state === "running" && step < totalSteps;
    const cells: (Node | string)[][] = [
      [swatch(colour, dash), ` ${arm}`],
      [bar, ` ${step.toLocaleString("en")}/${totalSteps.toLocaleString("en")}`],
      [isRunning ? duration(eta) : step === totalSteps ? "done" : "–"],
      [short(imagesPerSecond && Math.round(imagesPerSecond))],
      [short(learningRate)],
      [percent(top1)],
      [percent(detail.test[arm])],
    ];
    return [element("tr", {}, ...cells.map((cell) => element("td", {}, ...cell)))];
  });
  const head = element("tr", {}, ...HEADINGS.map((text) => element("th", { scope: "col" }, text)));
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
  const about = [detail.dataset, detail.adapter ?? "", `seed ${detail.config.seed}`].filter(Boolean).join(" · ");
  return element(
    "article",
    { class: "panel card" },
    element("h2", {}, detail.id, element("span", { class: `state-${detail.state}` }, detail.state)),
    element("p", {}, about),
    ...detail.problems.map((problem) => element("p", { class: "problem" }, problem)),
    rows.length > 0 ? element("div", { class: "scroll" }, table) : element("p", {}, "no step yet"),
  );
}

function differences({ state, ids }: View): HTMLElement[] {
  const configs = ids.map((id) => state.details.get(id)?.config ?? {});
  const fields = settingNames(configs.map(Object.keys));
  const different = fields.filter((field) => configs.some((config) => config[field] !== configs[0][field]));
  if (ids.length < 2 || different.length === 0) return [];
  const row = (name: "td" | "th", cells: readonly string[]) =>
    element("tr", {}, ...cells.map((cell) => element(name, {}, cell)));
  const head = element("thead", {}, row("th", ["", ...ids]));
  const lines = different.map((field) => row("td", [field, ...configs.map((config) => config[field] ?? "–")]));
  const table = element("div", { class: "scroll" }, element("table", {}, head, element("tbody", {}, ...lines)));
  return [element("article", { class: "panel" }, element("h2", {}, "Settings that differ"), table)];
}
