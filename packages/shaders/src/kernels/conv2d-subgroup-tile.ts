/**
 * Which shape of subgroup tile a correlation takes, and how large. Sums, the pixels under them and the weights of a row
 * share the registers; what is measured (lavapipe, Zen 5) stands beside each number.
 */
import type { Kernel } from "@guidance/tensor";
import { readsOperands } from "./body.ts";
import type { Correlation } from "./conv2d-correlation.ts";
import type { CorrelationPart } from "./conv2d-tile.ts";
import type { DeviceTraits } from "./dispatch.ts";

/** Places of a run: one vec4 of sums a row. */
export const PLACES = 4;
/** Taps a line that may be unrolled: text and compile time grow with taps x rows. */
const MOST_LINE_TAPS = 8;
/** Pixels of a lane's runs that stay in registers: one more run than fits costs a quarter of the speed. */
const MOST_PIXELS = 16;
/** Workgroups that keep the cores of a software adapter, or a small GPU, busy. */
const BUSY_GROUPS = 16;

/** `line`: runs along lines. `flat`: runs through planes. `channel`: any places, channels four at a time. */
export type SubgroupShape = "line" | "flat" | "channel";

export interface SubgroupTile {
  readonly shape: SubgroupShape;
  /** Output channels. */
  readonly rows: number;
  /** Runs of four places a lane owns. */
  readonly runs: 1 | 2;
  /** Whether image lines are loaded as vec4. */
  readonly vector: boolean;
}

/** The stretch of an image line under a run: how many pixels before it are loaded too, and how many loads it takes. */
export function stretchOf(
  { taps, stride, step, origin }: Correlation,
  vector: boolean,
): { readonly before: number; readonly length: number; readonly loads: number } {
  const length = (PLACES - 1) * stride[1] + taps[1];
  if (!vector) return { before: 0, length, loads: length };
  // runs begin at multiples of four places, so the distance to a multiple of four pixels is the same for all
  const first = origin[1] + (step < 0 ? 1 - taps[1] : 0);
  const before = ((first % 4) + 4) % 4;
  return { before, length, loads: Math.ceil((before + length) / 4) };
}

/** Places that exist, as a part of those in runs of four. */
const filled = (places: number): number => places / (PLACES * Math.ceil(places / PLACES));
/** Runs less filled than this lose to `channel`: maps of one pixel. */
const LEAST_FILLED = 0.6;

export function chooseShape({ taps, grid, depth, image, stride }: Correlation): SubgroupShape {
  // a tap alone shares no pixels, and is worth a run only where four come at once
  if (taps[1] < 1 || taps[1] > MOST_LINE_TAPS || (taps[1] === 1 && image[1] % 4 !== 0)) return "channel";
  const same = stride[0] === 1 && stride[1] === 1 && grid[0] === image[0] && grid[1] === image[1];
  const [byLine, byPlane] = [filled(grid[1]), same ? filled(grid[0] * grid[1]) : 0];
  // what runs through planes gain by fewer idle places, a tenth of it goes into telling lines apart
  const shape = byPlane > 1.1 * byLine ? "flat" : "line";
  // fewer than four channels would idle in steps of four
  return Math.max(byLine, byPlane) > LEAST_FILLED || depth < 4 ? shape : "channel";
}

/** Runs of four that cover the places of a part. */
export function runCount({ correlation: { grid }, images }: CorrelationPart, shape: SubgroupShape): number {
  const count = images[1] - images[0];
  if (shape === "line") return count * grid[0] * Math.ceil(grid[1] / PLACES);
  if (shape === "flat") return count * Math.ceil((grid[0] * grid[1]) / PLACES);
  return Math.ceil((count * grid[0] * grid[1]) / PLACES);
}

export function chooseTile(kernel: Kernel, part: CorrelationPart, traits: DeviceTraits): SubgroupTile {
  const { correlation, rows } = part;
  const { taps, image } = correlation;
  const shape = chooseShape(correlation);
  const vector = shape === "line" && image[1] % 4 === 0 && !readsOperands(kernel);
  const placeTiles = Math.ceil(runCount(part, shape) / traits.subgroupSize);
  const count = rows[1] - rows[0];
  const pairs = shape !== "channel" && taps[1] > 1 && 2 * stretchOf(correlation, vector).length <= MOST_PIXELS;
  // two runs share weights, which pays where each lane finds its own far from its neighbours': 16 rows of two, or 32 of one
  const { row, depth } = correlation.weight;
  const few = shape !== "channel" && (taps[1] > 4 || (pairs && (row > depth || taps[1] < 3)));
  // phases are one tile: its rows are what they fill
  const tileRows = traits.tileRows ?? (correlation.phases ? count : chooseRows(count, placeTiles, few ? 16 : 32));
  const runs = pairs && tileRows <= 16 && Math.ceil(placeTiles / 2) * Math.ceil(count / tileRows) >= 2 ? 2 : 1;
  return { shape, rows: tileRows, runs, vector };
}

/** Rows of a tile: as many as the sums' registers allow, fewer where rows or tiles would be idle. */
function chooseRows(count: number, placeTiles: number, most: number): number {
  for (const candidate of [32, 16]) {
    if (candidate <= most && count > candidate / 2 && placeTiles * Math.ceil(count / candidate) >= BUSY_GROUPS)
      return candidate;
  }
  if (count > 8 && placeTiles * Math.ceil(count / 16) >= 2) return 16;
  return count <= 4 ? 4 : 8;
}
