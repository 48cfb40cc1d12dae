/** The record of one network, as far as it was read: its curves, and how far it is. */
import {
  type ArmProgress,
  type ArmUpdate,
  type SeriesName,
  seriesNames,
  stepRows,
  validationRows,
} from "../protocol.ts";
import { Series } from "./series.ts";
import { Tail } from "./tail.ts";

/** Columns of curves: about the pixels of a wide chart. */
const CURVE = 1000;
/** Columns of heat maps, which have a number for each layer in each. */
const MAP = 240;

/** Weight of the last step in the mean time of a step. */
const RECENT = 0.05;

type Fields = Readonly<Record<string, unknown>>;

export const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const listOf = (value: unknown): readonly Fields[] => (Array.isArray(value) ? value.filter(isFields) : []);
/** Numbers that JSON has no form for are texts in the record. */
const number = (value: unknown): number =>
  typeof value === "number" || typeof value === "string" ? Number(value) : Number.NaN;
const finite = (value: number): number | null => (Number.isFinite(value) ? Number(value.toPrecision(6)) : null);
const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

export class ArmRecord {
  readonly #batchSize: number;
  readonly #tail = new Tail();
  readonly #series: Readonly<Record<SeriesName, Series>> = {
    steps: new Series(CURVE),
    validations: new Series(CURVE),
    similarity: new Series(CURVE),
    layers: new Series(MAP),
    gradients: new Series(MAP),
  };
  /** Paired layers of each step. */
  #pairs: readonly string[] = [];
  #gradientRows: readonly string[] = [];
  #isGuided = false;
  #last: { readonly step: number; readonly total: number; readonly epoch: number; readonly rate: number } | undefined;
  #top1: number | null = null;
  #secondsPerStep: number | undefined;
  #imagesPerSecond = Number.NaN;
  #damaged: { first: number; count: number } | undefined;

  constructor(batchSize: number) {
    this.#batchSize = batchSize;
  }

  /** Seconds that a step takes of late. */
  get secondsPerStep(): number | undefined {
    return this.#secondsPerStep;
  }

  /** One line where lines of the record are no records. */
  get problem(): string | undefined {
    if (!this.#damaged) return undefined;
    const { first, count } = this.#damaged;
    return count === 1
      ? `line ${first} is damaged and left out`
      : `${count} lines are damaged and left out, the first is line ${first}`;
  }

  /** Reads on in the file `path`; what is new has `version`. True where there is more to read at once. */
  read(path: string, version: number): Promise<boolean> {
    return this.#tail.read(path, {
      restart: () => this.#restart(version),
      line: (text, at) => {
        if (this.#add(text, version)) return;
        this.#damaged ??= { first: at, count: 0 };
        this.#damaged.count++;
      },
    });
  }

  #restart(version: number): void {
    for (const name of seriesNames) this.#series[name].clear(version);
    this.#last = undefined;
    this.#top1 = null;
    this.#damaged = undefined;
  }

  /** Takes one line; false where it is no record. Checksums are for those who go on with a run, not for a look at it. */
  #add(text: string, version: number): boolean {
    let record: unknown;
    try {
      record = JSON.parse(text);
    } catch {
      return false;
    }
    if (!isFields(record)) return false;
    if (record.kind === "layers") {
      this.#pairs = listOf(record.layers).map(({ student }) => String(student));
      return true;
    }
    const step = number(record.step);
    if (!Number.isInteger(step) || step < 0) return false;
    if (record.kind === "step") this.#addStep(step, record, version);
    else if (record.kind === "validation") this.#addValidation(step, record, version);
    else if (record.kind === "inspection") this.#addInspection(step, record, version);
    return true;
  }

  #addStep(step: number, record: Fields, version: number): void {
    const seconds = number(record.seconds) + number(record.dataSeconds);
    const isTimed = Number.isFinite(seconds);
    // the first step of a process compiles shaders and says nothing about the others
    const isFirst = this.#last === undefined;
    const rate = number(record.learningRate);
    this.#last = { step, total: number(record.totalSteps), epoch: number(record.epoch), rate };
    this.#imagesPerSecond = this.#batchSize / seconds;
    if (!isFirst && isTimed) {
      this.#secondsPerStep =
        this.#secondsPerStep === undefined ? seconds : this.#secondsPerStep + RECENT * (seconds - this.#secondsPerStep);
    }
    const values = [number(record.loss), number(record.crossEntropy), rate, this.#imagesPerSecond];
    this.#series.steps.add(step, stepRows, values, version);
    const similarities = Array.isArray(record.similarities) ? record.similarities.map(number) : [];
    this.#isGuided = similarities.length > 0;
    if (this.#isGuided) this.#addSimilarities(step, this.#pairs, similarities, version);
  }

  #addSimilarities(step: number, rows: readonly string[], values: readonly number[], version: number): void {
    this.#series.similarity.add(step, similarityRows, [meanOf(values)], version);
    if (rows.length === values.length) this.#series.layers.add(step, rows, values, version);
  }

  #addValidation(step: number, record: Fields, version: number): void {
    this.#top1 = finite(number(record.top1));
    this.#series.validations.add(
      step,
      validationRows,
      validationRows.map((row) => number(record[row])),
      version,
    );
  }

  #addInspection(step: number, record: Fields, version: number): void {
    const pairs = listOf(record.similarities);
    // under guidance each step has told them already
    if (pairs.length > 0 && !this.#isGuided) {
      const rows = pairs.map(({ student }) => String(student));
      const values = pairs.map(({ similarity }) => number(similarity));
      this.#addSimilarities(step, rows, values, version);
    }
    const layers = listOf(record.gradients);
    this.#gradientRows = layers.map(({ layer }) => String(layer));
    this.#series.gradients.add(
      step,
      this.#gradientRows,
      layers.map(({ norm }) => number(norm)),
      version,
    );
  }

  get #progress(): ArmProgress | null {
    if (!this.#last) return null;
    const { step, total, epoch, rate } = this.#last;
    const left = this.#secondsPerStep === undefined ? Number.NaN : (total - step) * this.#secondsPerStep;
    return {
      step,
      totalSteps: total,
      epoch,
      learningRate: finite(rate),
      imagesPerSecond: finite(this.#secondsPerStep ? this.#batchSize / this.#secondsPerStep : this.#imagesPerSecond),
      eta: finite(left),
      top1: this.#top1,
    };
  }

  /** What changed after `version`; undefined where nothing did. */
  since(version: number): Omit<ArmUpdate, "run" | "arm"> | undefined {
    const changed = seriesNames.flatMap((name) => {
      const update = this.#series[name].since(version, name === "steps");
      return update ? [[name, update] as const] : [];
    });
    return changed.length > 0 ? { progress: this.#progress, series: Object.fromEntries(changed) } : undefined;
  }
}

const similarityRows = ["similarity"];
