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

export interface SubgroupTile {
  readonly shape: "line" | "channel";
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

/** Whether a correlation takes the `line` shape. */
export function sumsByLine({ taps, grid, depth, image }: Correlation): boolean {
  const filled = grid[1] / (PLACES * Math.ceil(grid[1] / PLACES));
  // 14, 7, 4 wide gain by lines, 2 and 1 wide lose; fewer than four channels would idle in steps of four
  return (
    taps[1] <= MOST_LINE_TAPS && (taps[1] > 1 || (taps[1] === 1 && image[1] % 4 === 0)) && (filled > 0.6 || depth < 4)
  );
}

export function chooseTile(kernel: Kernel, part: CorrelationPart, traits: DeviceTraits): SubgroupTile {
  const { correlation, images, rows } = part;
  const { taps, grid, image } = correlation;
  const vector = image[1] % 4 === 0 && !readsOperands(kernel);
  const byLine = sumsByLine(correlation);
  const lines = (images[1] - images[0]) * grid[0];
  const lanes = byLine ? lines * Math.ceil(grid[1] / PLACES) : Math.ceil((lines * grid[1]) / PLACES);
  const placeTiles = Math.ceil(lanes / traits.subgroupSize);
  const count = rows[1] - rows[0];
  const pairs = byLine && taps[1] > 1 && 2 * stretchOf(correlation, vector).length <= MOST_PIXELS;
  // 32 rows of one run against 16 of two: two runs share weights, one row more shares pixels, which vec4s make cheap
  const most = (byLine && taps[1] > 4) || (pairs && (vector || rowsCollide(correlation))) ? 16 : 32;
  // phases are one tile: its rows are what they fill
  const tileRows = traits.tileRows ?? (correlation.phases ? count : chooseRows(count, placeTiles, most));
  const runs = pairs && tileRows <= 16 && Math.ceil(placeTiles / 2) * Math.ceil(count / tileRows) >= 2 ? 2 : 1;
  return { shape: byLine ? "line" : "channel", rows: tileRows, runs, vector: byLine && vector };
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

/** Lines and ways of a first-level cache of 48 KB. */
const CACHE = { line: 64, sets: 64, ways: 12 };

/** Whether 32 weight rows do not fit the cache sets they fall into: 512 channels of 3 x 3 fall into two. */
function rowsCollide({ weight: { row } }: Correlation): boolean {
  const lines = (4 * row) / CACHE.line;
  if (!Number.isInteger(lines)) return false;
  let sets = CACHE.sets;
  while (sets > 1 && lines % (2 * (CACHE.sets / sets)) === 0) sets /= 2;
  return 32 > sets * CACHE.ways;
}
