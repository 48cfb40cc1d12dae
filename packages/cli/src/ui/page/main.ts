/** The page: which runs are selected, and a drawing of what is known of them whenever that changes. */
import { MOST_RUNS } from "../../figures/look.ts";
import { showCards } from "./cards.ts";
import { byId, element, setText } from "./dom.ts";
import { Panels, type View } from "./panels.ts";
import { RunList } from "./runs.ts";
import { ARMS, type Arm, State } from "./state.ts";
import { type Connection, Stream } from "./stream.ts";
import { followTheme } from "./theme.ts";

const connections: Readonly<Record<Connection, string>> = {
  connecting: "connecting",
  live: "live",
  lost: "the server does not answer; trying again",
  ended: "the training has ended, and its server with it; guidance ui shows its runs again",
};

const state = new State();
const arms = new Set<Arm>(["guided", "unguided"]);
let ids: readonly string[] = idsOfAddress();
const panels = new Panels();
const list = new RunList(select);
const stream = new Stream(
  (update) => {
    state.apply(update);
    if (ids.length === 0 && state.runs && state.runs.length > 0) return select([first().id]);
    draw();
  },
  (connection) => {
    const line = byId("connection");
    // how it ended is worth more than that it is gone
    if (connection === "lost" && line.dataset.state === "ended") return;
    line.dataset.state = connection;
    setText(line, connections[connection]);
  },
);

/** Runs named behind the # of the address. */
function idsOfAddress(): string[] {
  return location.hash.slice(1).split(",").filter(Boolean).map(decode).slice(0, MOST_RUNS);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The run to begin with: one that goes on, or the newest. */
function first() {
  const runs = state.runs ?? [];
  return runs.find((run) => run.state === "running") ?? runs[0];
}

function select(next: readonly string[]): void {
  ids = next;
  history.replaceState(null, "", `#${ids.map(encodeURIComponent).join(",")}`);
  stream.watch(ids);
  draw();
}

let isDrawing = false;

/** Draws once a frame at most. */
function draw(): void {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(() => {
    isDrawing = false;
    const view: View = { state, ids, arms: shownArms() };
    list.show(state.runs ?? [], ids);
    showCards(view);
    panels.show(view);
    const isEmpty = ids.length === 0 || !ids.some((id) => state.details.has(id));
    for (const id of ["arms", "charts", "maps"]) byId(id).hidden = isEmpty;
    byId("empty").hidden = !isEmpty;
    setText(byId("empty"), whyEmpty());
  });
}

/** The guide is shown while it is all there is. */
function shownArms(): ReadonlySet<Arm> {
  const isOnlyGuide = !ids.some((id) => state.arm(id, "guided")?.progress);
  return isOnlyGuide ? new Set([...arms, "guide"]) : arms;
}

function whyEmpty(): string {
  if (!state.runs) return "Looking for runs";
  if (state.runs.length === 0) return "No runs here yet. Begin one: guidance train --ui";
  if (ids.length === 0) return "Select a run";
  return ids.every((id) => state.runs?.some((run) => run.id === id)) ? "Reading the run" : "There is no such run here";
}

for (const arm of ARMS) {
  const box = element("input", { type: "checkbox" });
  box.checked = arms.has(arm);
  box.addEventListener("change", () => {
    if (box.checked) arms.add(arm);
    else arms.delete(arm);
    draw();
  });
  byId("arms").append(element("label", {}, box, arm === "guide" ? "the guide's own training" : arm));
}
window.addEventListener("hashchange", () => select(idsOfAddress()));
followTheme(draw);
stream.watch(ids);
draw();
