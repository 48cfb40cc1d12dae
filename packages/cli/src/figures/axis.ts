/** Axes of charts: from values to places, and ticks at round numbers. */
import { extent } from "./extent.ts";

export interface Axis {
  readonly title: string;
  /** linear unless given. On a logarithmic axis only what is above 0 has a place. */
  readonly scale?: "linear" | "log";
  /** Values that are shown in any case. */
  readonly includes?: readonly number[];
}

export interface Scale {
  /** The place of a value: 0 at the beginning of the axis, 1 at its end. NaN where it has none. */
  place(value: number): number;
  readonly ticks: readonly number[];
}

/** A round number, 1, 2 or 5 times a power of 10, that is at least `least`. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return ([1, 2, 5].find((times) => times * power >= least * (1 - 1e-9)) ?? 10) * power;
}

function linear(low: number, high: number, most: number): Scale {
  // 0.1 + 0.2 is no round number
  const round = (value: number) => Number(value.toPrecision(12));
  const step = roundStep((high - low) / most);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => round((first + i) * step));
  return { place: (value) => (value / step - first) / (last - first), ticks };
}

function logarithmic(low: number, high: number, most: number): Scale {
  // 1, 2 and 5 times the powers of ten around all values
  const powers = Array.from(
    { length: Math.ceil(Math.log10(high / low)) + 3 },
    (_, i) => Math.floor(Math.log10(low)) + i - 1,
  );
  const round = powers.flatMap((power) => [1, 2, 5].map((times) => Number(`${times}e${power}`)));
  const first = round.findLastIndex((tick) => tick <= low * (1 + 1e-9));
  const last = Math.max(
    first + 1,
    round.findIndex((tick) => tick >= high * (1 - 1e-9)),
  );
  const all = round.slice(first, last + 1);
  const decades = all.filter((tick) => Number.isInteger(Math.log10(tick)));
  const every = Math.ceil(decades.length / most);
  const ticks = all.length <= most + 2 ? all : decades.filter((_, i) => i % every === 0);
  const [from, to] = [Math.log10(all[0]), Math.log10(all[all.length - 1])];
  return { place: (value) => (value > 0 ? (Math.log10(value) - from) / (to - from) : Number.NaN), ticks };
}

/** A scale for all `values` that have a place on it, with about `most` ticks or fewer. */
export function scaleOf({ scale, includes = [] }: Axis, values: Iterable<number>, most: number): Scale {
  const isLog = scale === "log";
  const placed = function* () {
    for (const list of [values, includes]) for (const value of list) if (!isLog || value > 0) yield value;
  };
  const [low, high] = extent(placed()) ?? (isLog ? [1, 10] : [0, 1]);
  if (isLog) return logarithmic(low, high, most);
  // one value only stands in the middle
  const room = low === high ? Math.abs(low) / 2 || 0.5 : 0;
  return linear(low - room, high + room, most);
}

/** A value as text: digits where they are few, else a power of ten. */
export function valueText(value: number): string {
  const size = Math.abs(value);
  return value === 0 || (size >= 1e-3 && size < 1e6) ? String(Number(value.toPrecision(6))) : powerText(value);
}

const powerText = (value: number): string => Number(value.toPrecision(6)).toExponential().replace("e+", "e");

/** Ticks as texts of one kind. */
export function tickTexts(ticks: readonly number[]): string[] {
  const texts = ticks.map(valueText);
  // on a linear axis either all are powers of ten or none; a logarithmic one may reach from 1e-8 to 1
  return texts.some((text) => text.includes("e")) ? ticks.map((tick) => (tick === 0 ? "0" : powerText(tick))) : texts;
}
