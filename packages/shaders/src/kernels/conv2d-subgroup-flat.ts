/**
 * Runs through planes: four neighbouring places of a plane that is read line after line, where the image has the same lines
 * (stride 1, padded to its own size). Pixels under neighbouring places then are neighbours in memory even where a run
 * goes on in the next line; only which of them count differs from place to place. Best where lines do not fill fours.
 */
import type { SubgroupFrame } from "./conv2d-subgroup-frame.ts";
import type { Run } from "./conv2d-subgroup-runs.ts";
import { PLACES, type SubgroupTile, stretchOf } from "./conv2d-subgroup-tile.ts";
import { emitGridPlace } from "./conv2d-tile.ts";
import { divide } from "./division.ts";

export function flatRuns(frame: SubgroupFrame, tile: SubgroupTile): Run[] {
  const { shader, part, operands, size } = frame;
  const { correlation } = part;
  const { step, origin, grid } = correlation;
  const taps = correlation.taps[1];
  const plane = grid[0] * grid[1];
  const lowest = step < 0 ? 1 - taps : 0;
  const { loads } = stretchOf(correlation, false);
  const count = shader.param("placesOfPlane", "u32", plane);
  const sign = step < 0 ? "-" : "+";
  return Array.from({ length: tile.runs }, (_, r) => {
    const run = shader.let("run", `${frame.tile} * ${size * tile.runs}u + ${r * size}u + ${frame.lane}`);
    const cut = divide(shader, run, "runsOfPlane", Math.ceil(plane / PLACES), frame.bound);
    const first = shader.let("first", `${cut.remainder} * ${PLACES}u`);
    const places = [0, 1, 2, 3].map((j) => {
      const inPlane = shader.let("inPlane", `${first} + ${j}u < ${count}`);
      const index = shader.let("index", `${cut.quotient} * ${count} + min(${first} + ${j}u, ${count} - 1u)`);
      const place = emitGridPlace(shader, part, index, frame.bound);
      return { ...place, live: shader.let("live", `${place.live} && ${inPlane}`) };
    });
    const vector = (type: string, of: (place: (typeof places)[number]) => string) =>
      shader.let("places", `vec4<${type}>(${places.map(of).join(", ")})`);
    const tops = vector("i32", ({ top }) => top);
    const lefts = vector("i32", ({ left }) => left);
    const inLine = Array.from({ length: taps }, (_, u) =>
      shader.let("inLine", `vec4<u32>(${lefts} ${sign} ${u}) < vec4<u32>(u32(${operands.imageWidth}))`),
    );
    const corner = shader.param("corner", "i32", origin[0] * grid[1] + origin[1] + lowest);
    const start = shader.let(
      "start",
      `${places[0].image} * ${operands.imagePitch} + ${operands.imageStart} + i32(${first}) + ${corner}`,
    );
    return {
      places,
      values() {
        const line = shader.let("line", `${start} + k * ${operands.planePitch} ${sign} t * ${operands.imageWidth}`);
        const inside = shader.let("inside", `vec4<u32>(${tops} ${sign} t) < vec4<u32>(u32(${operands.imageHeight}))`);
        const pixels = Array.from({ length: loads }, (_, z) =>
          shader.let("pixel", operands.image.load(`u32(${line} + ${z})`)),
        );
        return inLine.map((inColumn, u) => {
          const under = [0, 1, 2, 3].map((j) => pixels[j + step * u - lowest]);
          return shader.let("values", `select(vec4<f32>(), vec4<f32>(${under.join(", ")}), ${inside} & ${inColumn})`);
        });
      },
    };
  });
}
