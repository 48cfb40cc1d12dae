/** The runs of a folder, or the one run that the folder is. */
import { existsSync } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { listRuns, RunError } from "@guidance/guidance";
import type { RunEntry } from "../protocol.ts";
import { RunRecord } from "./run.ts";

/** Runs whose curves are kept in memory, beside those that somebody looks at. */
const KEPT = 16;

export class Runs {
  readonly #root: string;
  readonly #isOne: boolean;
  #records = new Map<string, RunRecord>();
  #list: readonly RunEntry[] = [];
  #listVersion = 0;

  private constructor(root: string, isOne: boolean) {
    this.#root = root;
    this.#isOne = isOne;
  }

  /** The runs in `folder`; throws RunError where there is none of that name. */
  static async open(folder: string): Promise<Runs> {
    const found = await stat(folder).catch(() => undefined);
    if (!found?.isDirectory()) {
      throw new RunError({
        what: "ui",
        facts: found ? `"${folder}" is no folder` : `there is no folder "${folder}"`,
        expected: "a folder of runs, or of one run",
        hint: "Check the path, or begin a run: guidance train --ui",
      });
    }
    const root = await realpath(folder);
    return new Runs(root, existsSync(join(root, "config.json")));
  }

  /** Looks which runs there are; `version` is that of what is new. */
  async refresh(version: number): Promise<void> {
    const ids = this.#isOne ? [basename(this.#root)] : await listRuns(this.#root).catch(() => []);
    const records = ids.map((id) => this.#records.get(id) ?? this.#record(id));
    this.#records = new Map(records.map((record) => [record.id, record]));
    await Promise.all(records.map((record) => record.refresh(version)));
    const list = records.map(({ detail: { id, dataset, state, test } }) => ({ id, dataset, state, test }));
    // an empty list is news, too, when it is the first
    if (this.#listVersion > 0 && JSON.stringify(list) === JSON.stringify(this.#list)) return;
    this.#list = list;
    this.#listVersion = version;
  }

  #record(id: string): RunRecord {
    return new RunRecord(id, this.#root, this.#isOne ? this.#root : join(this.#root, id));
  }

  /** The run of this name, if it is one of the list. */
  get(id: string): RunRecord | undefined {
    return this.#records.get(id);
  }

  /** Lets go of curves at which nobody has looked for longest. */
  trim(watched: ReadonlySet<string>): void {
    const idle = [...this.#records.values()].filter(({ id }) => !watched.has(id));
    idle.sort((a, b) => b.watched - a.watched);
    for (const record of idle.slice(KEPT)) record.forget();
  }

  /** The list, where it changed after `version`. */
  since(version: number): readonly RunEntry[] | undefined {
    return this.#listVersion > version ? this.#list : undefined;
  }
}
