/**
 * The `channel` shape of a convolution by subgroups: a lane owns any four places and takes four channels at a time under
 * one tap. Everything is a parameter. Best for maps one or two pixels wide.
 */
import { emitProducts, type SubgroupFrame } from "./conv2d-subgroup-frame.ts";
import { emitGridPlace } from "./conv2d-tile.ts";
import type { TileRun } from "./conv2d-tile-store.ts";

export function sumChannels(frame: SubgroupFrame): TileRun[] {
  const { shader, part, operands, weightRows, size } = frame;
  const places = [0, 1, 2, 3].map((j) => {
    const index = shader.let("index", `${frame.tile} * ${size * 4}u + ${j * size}u + ${frame.lane}`);
    return emitGridPlace(shader, part, index, frame.bound);
  });
  const starts = places.map(({ image }) =>
    shader.let("start", `${image} * ${operands.imagePitch} + ${operands.imageStart}`),
  );
  const runs: TileRun[] = [
    { places, sums: Array.from({ length: frame.rows }, () => shader.var("sum", "vec4<f32>()")) },
  ];
  // four channels an iteration: fewer leave the loop's own cost visible, more run out of registers
  const ragged = (part.depth[1] - part.depth[0]) % 4 !== 0;
  const step = part.correlation.step < 0 ? "-" : "+";
  shader.block(`for (var t = 0; t < ${operands.taps[0]}; t++)`, () => {
    shader.block(`for (var u = 0; u < ${operands.taps[1]}; u++)`, () => {
      const tap = shader.let("tap", `t * ${operands.weightTap[0]} + u * ${operands.weightTap[1]}`);
      const pixels = places.map(({ top, left }, j) => {
        const [h, w] = [shader.let("h", `${top} ${step} t`), shader.let("w", `${left} ${step} u`)];
        const inside = shader.let(
          "inside",
          `u32(${h}) < u32(${operands.imageHeight}) && u32(${w}) < u32(${operands.imageWidth})`,
        );
        return { inside, element: shader.let("pixel", `${starts[j]} + ${h} * ${operands.imageWidth} + ${w}`) };
      });
      shader.block(`for (var k = 0; k < ${operands.depth}; k += 4)`, () => {
        const channels = [0, 1, 2, 3].map((z) => shader.let("k", `k + ${z}`));
        const exists = channels.map((k) => (ragged ? shader.let("exists", `${k} < ${operands.depth}`) : ""));
        const values = channels.map((k, z) => {
          const loads = pixels.map(({ inside, element }) => {
            const load = operands.image.load(`u32(${element} + ${k} * ${operands.planePitch})`);
            return `select(0.0, ${load}, ${inside}${ragged ? ` && ${exists[z]}` : ""})`;
          });
          return shader.let("values", `vec4<f32>(${loads.join(", ")})`);
        });
        const weights = channels.map((k, z) =>
          weightRows.map(({ start }) => {
            const load = operands.weight.load(`u32(${start} + ${tap} + ${k} * ${operands.weightDepth})`);
            return shader.let("weight", ragged ? `select(0.0, ${load}, ${exists[z]})` : load);
          }),
        );
        emitProducts(frame, runs, weights, [values]);
      });
    });
  });
  return runs;
}
