/** Axes of charts: from values to places, and ticks at round numbers. */

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
  const [first, last] = [Math.floor(Math.log10(low) + 1e-9), Math.ceil(Math.log10(high) - 1e-9)];
  const end = Math.max(first + 1, last);
  const decades = Array.from({ length: end - first + 1 }, (_, i) => first + i);
  const every = Math.ceil(decades.length / most);
  // a few decades have room for more ticks
  const times = decades.length <= 3 ? [1, 2, 5] : [1];
  const ticks = decades
    .filter((_, i) => i % every === 0)
    .flatMap((power) => times.map((factor) => factor * 10 ** power))
    .filter((tick) => tick <= 10 ** end * (1 + 1e-9));
  return { place: (value) => (value > 0 ? (Math.log10(value) - first) / (end - first) : Number.NaN), ticks };
}

/** A scale for all `values` that have a place on it, with about `most` ticks or fewer. */
export function scaleOf({ scale, includes = [] }: Axis, values: Iterable<number>, most: number): Scale {
  const isLog = scale === "log";
  let [low, high] = [Infinity, -Infinity];
  for (const list of [values, includes]) {
    for (const value of list) {
      if (!Number.isFinite(value) || (isLog && value <= 0)) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  if (low > high) [low, high] = isLog ? [1, 10] : [0, 1];
  if (isLog) return logarithmic(low, high, most);
  // one value only stands in the middle
  const room = low === high ? Math.abs(low) / 2 || 0.5 : 0;
  return linear(low - room, high + room, most);
}

/** A tick as text: digits where they are few, else a power of ten. */
export function tickText(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e6) return String(Number(value.toPrecision(6)));
  return value.toExponential().replace("e+", "e");
}
