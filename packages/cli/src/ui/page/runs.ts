/** The list of runs: filter, state, and which are selected. */
import { MOST_RUNS } from "../../figures/look.ts";
import type { RunEntry } from "../protocol.ts";
import { byId, element, setText } from "./dom.ts";
import { percent } from "./format.ts";

interface Item {
  readonly root: HTMLLIElement;
  readonly box: HTMLInputElement;
  readonly detail: HTMLElement;
}

export class RunList {
  readonly #items = new Map<string, Item>();
  readonly #filter = byId<HTMLInputElement>("filter");
  readonly #changed: (ids: readonly string[]) => void;
  #entries: readonly RunEntry[] = [];
  #ids: readonly string[] = [];

  /** `changed` is told the runs that are selected by the user. */
  constructor(changed: (ids: readonly string[]) => void) {
    this.#changed = changed;
    this.#filter.addEventListener("input", () => this.#sift());
    // on a phone the list would hide what it is about
    if (window.matchMedia("(max-width: 760px)").matches) byId<HTMLDetailsElement>("picker").open = false;
  }

  show(entries: readonly RunEntry[], ids: readonly string[]): void {
    this.#entries = entries;
    this.#ids = ids;
    const items = entries.map((entry) => {
      const item = this.#items.get(entry.id) ?? this.#make(entry.id);
      this.#items.set(entry.id, item);
      item.box.checked = ids.includes(entry.id);
      item.box.disabled = !item.box.checked && ids.length >= MOST_RUNS;
      item.detail.className = `state-${entry.state}`;
      setText(item.detail, describe(entry));
      return item.root;
    });
    const list = byId("runs");
    if (items.length !== list.children.length || items.some((item, i) => item !== list.children[i]))
      list.replaceChildren(...items);
    setText(byId("chosen"), `${ids.length} of ${entries.length}`);
    this.#sift();
  }

  #make(id: string): Item {
    const box = element("input", { type: "checkbox" });
    const detail = element("small");
    box.addEventListener("change", () => {
      // at once: the next one may be toggled before this is shown
      this.#ids = box.checked ? [...this.#ids, id].slice(0, MOST_RUNS) : this.#ids.filter((each) => each !== id);
      this.#changed(this.#ids);
    });
    const label = element("label", {}, box, element("span", { class: "name" }, id), detail);
    return { root: element("li", {}, label), box, detail };
  }

  #sift(): void {
    const words = this.#filter.value.toLowerCase().split(/\s+/);
    for (const { id, dataset, state } of this.#entries) {
      const item = this.#items.get(id);
      const text = `${id} ${dataset} ${state}`.toLowerCase();
      if (item) item.root.hidden = !words.every((word) => text.includes(word));
    }
  }
}

function describe({ dataset, state, test }: RunEntry): string {
  const scores = Object.entries(test).map(([arm, top1]) => `${arm} ${percent(top1)}`);
  return [state, dataset, ...scores].join(" · ");
}
