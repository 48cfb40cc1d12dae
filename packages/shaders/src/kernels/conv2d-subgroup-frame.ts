/**
 * What all shapes of a convolution by subgroups work with: the tile's frame, where each lane's weights lie, and the
 * products of a tile.
 */
import type { ShaderBuilder } from "./builder.ts";
import type { Correlation } from "./conv2d-correlation.ts";
import type { CorrelationPart, Operands } from "./conv2d-tile.ts";
import type { TileRun } from "./conv2d-tile-store.ts";

export interface WeightRow {
  /** Element of its first tap: an i32 name. */
  readonly start: string;
  /** In phases: the row and column of the kernel that tap (0, 0) is. */
  readonly first?: readonly [string, string];
}

/** What all shapes work with. */
export interface SubgroupFrame {
  readonly shader: ShaderBuilder;
  readonly part: CorrelationPart;
  readonly operands: Operands;
  /** The weight rows this lane loads: row i of the tile is lane i % size of entry floor(i / size). */
  readonly weightRows: readonly WeightRow[];
  readonly size: number;
  readonly lane: string;
  /** Number of the tile of places. */
  readonly tile: string;
  readonly rows: number;
  /** Above every place index that occurs. */
  readonly bound: number;
}

/**
 * Adds products to the sums of each row: row outermost, so that only its own operands need registers.
 *
 * @param weights per product, the weights of this lane's rows
 * @param values per run, what each product multiplies
 */
export function emitProducts(
  { shader, size }: SubgroupFrame,
  runs: readonly TileRun[],
  weights: readonly (readonly string[])[],
  values: readonly (readonly string[])[],
): void {
  runs[0].sums.forEach((_, i) => {
    const row = weights.map((own) => `subgroupShuffle(${own[Math.floor(i / size)]}, ${i % size}u)`);
    const shared = runs.length === 1 ? row : row.map((text) => shader.let("w", text));
    runs.forEach(({ sums }, r) => {
      shader.line(`${sums[i]} += ${shared.map((weight, z) => `${weight} * ${values[r][z]}`).join(" + ")};`);
    });
  });
}

/** Prints where the weights of row `index` lie, and in which phase. */
export function emitWeightRow(
  shader: ShaderBuilder,
  { phases, spread }: Correlation,
  operands: Operands,
  index: string,
): WeightRow {
  const row = shader.let("row", index);
  const start = (channel: string) =>
    shader.let("weightRow", `i32(${channel}) * ${operands.weightRow} + ${operands.weightStart}`);
  if (!phases) return { start: start(row) };
  const phase = shader.let("phase", `${row} % ${phases.count}u`);
  const [a, b] = [shader.let("a", `i32(${phase} / ${spread[1]}u)`), shader.let("b", `i32(${phase} % ${spread[1]}u)`)];
  const pitch = shader.param("kernelWidth", "i32", phases.kernel[1]);
  const first = [a, b].map((shift, axis) =>
    shader.let("first", `${shift} + ${shader.param(`first${axis}`, "i32", phases.first[axis])}`),
  );
  return {
    start: shader.let("weightRow", `${start(`(${row} / ${phases.count}u)`)} + ${a} * ${pitch} + ${b}`),
    first: [first[0], first[1]],
  };
}
