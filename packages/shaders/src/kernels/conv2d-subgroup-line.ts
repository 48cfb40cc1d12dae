/**
 * Runs along lines: four neighbouring places of one line, over a stretch of an image line, which loads as vec4 where image
 * lines are whole vec4s. Best where lines fill fours.
 */
import type { SubgroupFrame } from "./conv2d-subgroup-frame.ts";
import type { Run } from "./conv2d-subgroup-runs.ts";
import { PLACES, type SubgroupTile, stretchOf } from "./conv2d-subgroup-tile.ts";
import { emitGridPlace, type GridPlace } from "./conv2d-tile.ts";

export function lineRuns(frame: SubgroupFrame, tile: SubgroupTile): Run[] {
  const { shader, part, operands, size } = frame;
  const { correlation } = part;
  const [taps, stride, step] = [correlation.taps[1], correlation.stride[1], correlation.step];
  // the first tap's place in the stretch is the last one where the kernel is walked backwards
  const lowest = step < 0 ? 1 - taps : 0;
  const { before, loads } = stretchOf(correlation, tile.vector);
  const width = tile.vector ? 4 : 1;
  const zero = tile.vector ? "vec4<f32>()" : "0.0";
  return Array.from({ length: tile.runs }, (_, r) => {
    const run = shader.let("run", `${frame.tile} * ${size * tile.runs}u + ${r * size}u + ${frame.lane}`);
    const place = emitGridPlace(shader, part, run, frame.bound, PLACES);
    const left = shader.let("left", `${place.left} + ${lowest - before}`);
    // image lines are whole vec4s, so that one lies inside or outside as a whole
    const inLine = Array.from({ length: loads }, (_, z) =>
      shader.let("inLine", `u32(${left} + ${z * width}) < u32(${operands.imageWidth})`),
    );
    const start = shader.let("start", `${place.image} * ${operands.imagePitch} + ${operands.imageStart} + ${left}`);
    return {
      places: placesOf(frame, place),
      values() {
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
      },
    };
  });
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
