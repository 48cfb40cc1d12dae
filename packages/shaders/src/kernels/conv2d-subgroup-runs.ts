/**
 * The loop of the `line` and `flat` shapes of a convolution by subgroups: lanes own runs of four places, and what lies
 * under a run is loaded once for all taps of a kernel line. Several runs share the weights that reach a lane. Taps per
 * line are in the text.
 */
import { emitProducts, type SubgroupFrame } from "./conv2d-subgroup-frame.ts";
import type { GridPlace } from "./conv2d-tile.ts";
import type { TileRun } from "./conv2d-tile-store.ts";

/** Four places a lane owns. */
export interface Run {
  readonly places: readonly GridPlace[];
  /** Prints what tap line `t` of channel `k` multiplies: a vec4 of the places for each tap. */
  values(): string[];
}

export function sumRuns(frame: SubgroupFrame, owned: readonly Run[]): TileRun[] {
  const { shader, part, operands, weightRows } = frame;
  const taps = part.correlation.taps[1];
  const runs = owned.map(
    ({ places }): TileRun => ({
      places,
      sums: Array.from({ length: frame.rows }, () => shader.var("sum", "vec4<f32>()")),
    }),
  );
  const inKernel = phasedColumns(frame);
  shader.block(`for (var k = 0; k < ${operands.depth}; k++)`, () => {
    shader.block(`for (var t = 0; t < ${operands.taps[0]}; t++)`, () => {
      const weight = shader.let("weight", `k * ${operands.weightDepth} + t * ${operands.weightTap[0]}`);
      const values = owned.map((run) => run.values());
      const inRow = phasedRows(frame);
      const weights = Array.from({ length: taps }, (_, u) =>
        weightRows.map(({ start }, i) => {
          const load = operands.weight.load(`u32(${start} + ${weight} + ${u} * ${operands.weightTap[1]})`);
          return shader.let("weight", inRow ? `select(0.0, ${load}, ${inRow[i]} && ${inKernel[i][u]})` : load);
        }),
      );
      emitProducts(frame, runs, weights, values);
    });
  });
  return runs;
}

/** Whether tap column u of each weight row is in the kernel, where rows are of several phases. */
function phasedColumns({ shader, part: { correlation }, weightRows }: SubgroupFrame): string[][] {
  const { phases, spread, taps } = correlation;
  if (!phases) return [];
  const width = shader.param("kernelWidth", "i32", phases.kernel[1]);
  return weightRows.map(({ first }) =>
    Array.from({ length: taps[1] }, (_, u) =>
      shader.let("inKernel", `u32(${first?.[1]} + ${u * spread[1]}) < u32(${width})`),
    ),
  );
}

/** Whether tap row t is in the kernel, likewise. */
function phasedRows({ shader, part: { correlation }, weightRows }: SubgroupFrame): string[] | undefined {
  const { phases, spread } = correlation;
  if (!phases) return undefined;
  const height = shader.param("kernelHeight", "i32", phases.kernel[0]);
  return weightRows.map(({ first }) => shader.let("inRow", `u32(${first?.[0]} + t * ${spread[0]}) < u32(${height})`));
}
