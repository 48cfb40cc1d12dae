/**
 * The `line` shape of a convolution by subgroups: a lane owns runs of four neighbouring places of a line, and loads the
 * stretch of the image line under a run once for all taps of a kernel line, as vec4 where image lines are whole vec4s.
 * Several runs share the weights that reach a lane. Taps per line and stride are in the text. Best where lines fill
 * fours.
 */
import { emitProducts, type SubgroupFrame } from "./conv2d-subgroup-frame.ts";
import { PLACES, type SubgroupTile, stretchOf } from "./conv2d-subgroup-tile.ts";
import { emitGridPlace, type GridPlace } from "./conv2d-tile.ts";
import type { TileRun } from "./conv2d-tile-store.ts";

export function sumLines(frame: SubgroupFrame, tile: SubgroupTile): TileRun[] {
  const { shader, part, operands, weightRows, size } = frame;
  const { correlation } = part;
  const [taps, stride, step] = [correlation.taps[1], correlation.stride[1], correlation.step];
  // the first tap's place in the stretch is the last one where the kernel is walked backwards
  const lowest = step < 0 ? 1 - taps : 0;
  const { before, loads } = stretchOf(correlation, tile.vector);
  const width = tile.vector ? 4 : 1;
  const owned = Array.from({ length: tile.runs }, (_, r) => {
    const run = shader.let("run", `${frame.tile} * ${size * tile.runs}u + ${r * size}u + ${frame.lane}`);
    const place = emitGridPlace(shader, part, run, frame.bound, PLACES);
    const left = shader.let("left", `${place.left} + ${lowest - before}`);
    // image lines are whole vec4s, so that one lies inside or outside as a whole
    const inLine = Array.from({ length: loads }, (_, z) =>
      shader.let("inLine", `u32(${left} + ${z * width}) < u32(${operands.imageWidth})`),
    );
    const start = shader.let("start", `${place.image} * ${operands.imagePitch} + ${operands.imageStart} + ${left}`);
    return { place, inLine, start };
  });
  const runs = owned.map(
    ({ place }): TileRun => ({
      places: placesOf(frame, place),
      sums: Array.from({ length: frame.rows }, () => shader.var("sum", "vec4<f32>()")),
    }),
  );
  const inKernel = phasedColumns(frame);
  const zero = tile.vector ? "vec4<f32>()" : "0.0";
  shader.block(`for (var k = 0; k < ${operands.depth}; k++)`, () => {
    shader.block(`for (var t = 0; t < ${operands.taps[0]}; t++)`, () => {
      const weight = shader.let("weight", `k * ${operands.weightDepth} + t * ${operands.weightTap[0]}`);
      const values = owned.map(({ place, inLine, start }) => {
        const h = shader.let("h", `${place.top} ${step < 0 ? "-" : "+"} t`);
        const inside = shader.let("inside", `u32(${h}) < u32(${operands.imageHeight})`);
        const line = shader.let("line", `${start} + k * ${operands.planePitch} + ${h} * ${operands.imageWidth}`);
        const pixels = inLine.map((inColumn, z) => {
          const load = operands.image.load(`u32(${line} + ${z * width})`);
          return shader.let("pixels", `select(${zero}, ${load}, ${inside} && ${inColumn})`);
        });
        const pixel = (z: number) => (tile.vector ? `${pixels[Math.floor(z / 4)]}.${"xyzw"[z % 4]}` : pixels[z]);
        return Array.from({ length: taps }, (_, u) => {
          const at = (j: number) => pixel(before + j * stride + step * u - lowest);
          return shader.let("values", `vec4<f32>(${[0, 1, 2, 3].map(at).join(", ")})`);
        });
      });
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

/** The four places of a run. */
function placesOf({ shader, part }: SubgroupFrame, place: GridPlace): GridPlace[] {
  const width = shader.param("gridWidthPlaces", "i32", part.correlation.grid[1]);
  return [0, 1, 2, 3].map((j) => ({
    ...place,
    live: `${place.live} && ${place.x} + ${j} < ${width}`,
    x: `(${place.x} + ${j})`,
  }));
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
