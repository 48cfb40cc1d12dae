/** A run as its folder tells it: what it is, whether it goes on, and, once somebody looks at it, its curves. */
import { readFile, realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { ARMS, flatten, type JsonObject, type JsonValue } from "@guidance/guidance";
import type { ArmUpdate, RunDetail, RunState } from "../protocol.ts";
import { ArmRecord, isFields } from "./arm.ts";

/** A run without summary counts as stopped after so many seconds, or steps, without news: validation takes a while, too. */
const [QUIET_SECONDS, QUIET_STEPS] = [60, 10];

/** A file of ours that is larger is none. */
const LARGEST_JSON = 2 ** 20;

type Fields = Readonly<Record<string, unknown>>;

export class RunRecord {
  readonly id: string;
  readonly #root: string;
  readonly #folder: string;
  #config: Fields | undefined;
  #summary: Fields | undefined;
  #adapter: string | null = null;
  #arms = new Map<string, ArmRecord>();
  #problems: readonly string[] = [];
  #detail: RunDetail;
  #detailVersion = 0;
  /** When somebody last looked at its curves. */
  watched = 0;

  /** The run in `folder`, which lies in `root` or is it; the links of both are resolved. */
  constructor(id: string, root: string, folder: string) {
    this.id = id;
    this.#root = root;
    this.#folder = folder;
    this.#detail = { id, dataset: "", state: "stopped", test: {}, config: {}, adapter: null, problems: [] };
  }

  get detail(): RunDetail {
    return this.#detail;
  }

  /** Looks at the small files; `version` is that of what is new. */
  async refresh(version: number): Promise<void> {
    this.#config ??= await this.#json("config.json");
    this.#summary ??= await this.#json("summary.json");
    this.#adapter ??= await this.#latestAdapter();
    const { id } = this;
    const detail: RunDetail = {
      id,
      dataset: typeof this.#config?.dataset === "string" ? this.#config.dataset : "?",
      state: await this.#state(),
      test: testScores(this.#summary),
      config: settings(this.#config ?? {}),
      adapter: this.#adapter,
      problems: [...(this.#config ? [] : ["config.json cannot be read"]), ...this.#problems],
    };
    if (JSON.stringify(detail) === JSON.stringify(this.#detail)) return;
    this.#detail = detail;
    this.#detailVersion = version;
  }

  /** Reads on in its records; true where there is more to read at once. */
  async read(version: number): Promise<boolean> {
    let isMore = false;
    const problems: string[] = [];
    for (const arm of ARMS) {
      const name = `${arm}/metrics.jsonl`;
      const path = await this.#inside(name);
      if (path === undefined) continue;
      const record = this.#arms.get(arm) ?? new ArmRecord(this.#batchSize(arm));
      this.#arms.set(arm, record);
      try {
        isMore = (await record.read(path, version)) || isMore;
      } catch (error) {
        problems.push(`${name} cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown"})`);
      }
      if (record.problem) problems.push(`${name}: ${record.problem}`);
    }
    this.#problems = problems;
    return isMore;
  }

  /** Forgets its curves, which are read again when somebody looks. */
  forget(): void {
    this.#arms = new Map();
  }

  /** What changed after `version`. */
  since(version: number): { readonly detail?: RunDetail; readonly arms: readonly ArmUpdate[] } {
    const arms = [...this.#arms].flatMap(([arm, record]) => {
      const update = record.since(version);
      return update ? [{ run: this.id, arm, ...update }] : [];
    });
    return { ...(this.#detailVersion > version ? { detail: this.#detail } : {}), arms };
  }

  #batchSize(arm: string): number {
    const guide = this.#config?.guide as Fields | undefined;
    return Number((arm === "guide" ? guide : this.#config)?.batchSize ?? Number.NaN);
  }

  async #state(): Promise<RunState> {
    if (this.#summary) return "finished";
    const names = ["environment.json", ...ARMS.map((arm) => `${arm}/metrics.jsonl`)];
    const changed = await Promise.all(names.map((name) => this.#changed(name)));
    const steps = [...this.#arms.values()].map(({ secondsPerStep = 0 }) => secondsPerStep);
    const quiet = Math.max(QUIET_SECONDS, QUIET_STEPS * Math.max(0, ...steps));
    return Date.now() - Math.max(...changed) < 1000 * quiet ? "running" : "stopped";
  }

  async #changed(name: string): Promise<number> {
    const path = await this.#inside(name);
    return path === undefined ? 0 : ((await stat(path).catch(() => undefined))?.mtimeMs ?? 0);
  }

  async #latestAdapter(): Promise<string | null> {
    const starts = (await this.#json("environment.json"))?.starts;
    const last = Array.isArray(starts) ? (starts.at(-1) as Fields | undefined) : undefined;
    return typeof last?.adapter === "string" ? last.adapter : null;
  }

  /** The real path of a file of the run; undefined where there is none, or it lies outside of the folder that is shown. */
  async #inside(name: string): Promise<string | undefined> {
    const path = await realpath(join(this.#folder, name)).catch(() => undefined);
    return path?.startsWith(this.#root + sep) ? path : undefined;
  }

  /** A whole JSON object; undefined where there is none, or none yet. */
  async #json(name: string): Promise<Fields | undefined> {
    const path = await this.#inside(name);
    if (path === undefined || ((await stat(path).catch(() => undefined))?.size ?? 0) > LARGEST_JSON) return undefined;
    try {
      const value: unknown = JSON.parse(await readFile(path, "utf8"));
      return typeof value === "object" && value !== null ? (value as Fields) : undefined;
    } catch {
      return undefined;
    }
  }
}

function testScores(summary: Fields | undefined): Record<string, number> {
  const arms = Array.isArray(summary?.arms) ? summary.arms.filter(isFields) : [];
  return Object.fromEntries(
    arms.flatMap(({ arm, test }) => {
      const top1 = Number((test as Fields | undefined)?.top1);
      return Number.isFinite(top1) ? [[String(arm), top1]] : [];
    }),
  );
}

/** Settings by their dotted names, as text; without the seal, which is of the file. */
function settings(config: Fields): Record<string, string> {
  const { guidance: _seal, ...rest } = config;
  const text = (value: JsonValue) => (typeof value === "string" ? value : JSON.stringify(value));
  return Object.fromEntries(flatten(rest as JsonObject).map(([path, value]) => [path, text(value)]));
}
