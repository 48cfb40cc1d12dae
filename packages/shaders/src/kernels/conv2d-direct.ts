/**
 * Convolution without subgroups or workgroup memory: each invocation sums four places times a few rows in registers,
 * so that every value it loads is used four times. Runs anywhere; sizes, strides and taps are all parameters.
 */
import type { ShaderBuilder } from "./builder.ts";
import { bindOperands, type CorrelationPart, emitGridPlace } from "./conv2d-tile.ts";
import { emitTileStores } from "./conv2d-tile-store.ts";
import type { Dispatch } from "./dispatch.ts";
import { divide } from "./division.ts";
import { gridOf } from "./grid.ts";

/** Places per invocation: one vec4 of sums a row. */
const PLACES = 4;
/** Rows per invocation: with four places, 16 sums, which leaves registers for addresses on every GPU. */
const ROWS = 4;

export function writeDirect(shader: ShaderBuilder, part: CorrelationPart): Dispatch {
  const { correlation, images, rows } = part;
  // a software adapter starts a workgroup as one vector of lanes; GPUs want a multiple of their subgroups
  const size = shader.traits.software ? 8 : 64;
  const rowTiles = Math.ceil((rows[1] - rows[0]) / ROWS);
  const places = (images[1] - images[0]) * correlation.grid[0] * correlation.grid[1];
  const placeTiles = Math.ceil(places / (size * PLACES));
  const groups = gridOf(rowTiles * placeTiles, shader.traits);
  const group = shader.let("tile", shader.linearGroup(groups));
  const tile = divide(shader, group, "rowTiles", rowTiles, groups[0] * groups[1]);
  const firstRow = shader.let("firstRow", `${tile.remainder} * ${ROWS}u`);
  const operands = bindOperands(shader, part);
  const grid = Array.from({ length: PLACES }, (_, j) => {
    const index = shader.let("index", `${tile.quotient} * ${size * PLACES}u + ${j * size}u + lane`);
    return emitGridPlace(shader, part, index, (groups[0] * groups[1] + 1) * size * PLACES);
  });
  const starts = grid.map(({ image }) =>
    shader.let("start", `${image} * ${operands.imagePitch} + ${operands.imageStart}`),
  );
  const lastRow = shader.param("rowCount", "u32", rows[1] - rows[0]);
  const weightRows = Array.from({ length: ROWS }, (_, i) =>
    shader.let(
      "weightRow",
      `i32(min(${firstRow} + ${i}u, ${lastRow} - 1u)) * ${operands.weightRow} + ${operands.weightStart}`,
    ),
  );
  const sums = weightRows.map(() => shader.var("sum", "vec4<f32>()"));
  const step = correlation.step < 0 ? "-" : "+";
  shader.block(`for (var t = 0; t < ${operands.taps[0]}; t++)`, () => {
    shader.block(`for (var u = 0; u < ${operands.taps[1]}; u++)`, () => {
      const tap = shader.let("tap", `t * ${operands.weightTap[0]} + u * ${operands.weightTap[1]}`);
      const pixels = grid.map(({ top, left }, j) => {
        const [h, w] = [shader.let("h", `${top} ${step} t`), shader.let("w", `${left} ${step} u`)];
        const inside = shader.let(
          "inside",
          `u32(${h}) < u32(${operands.imageHeight}) && u32(${w}) < u32(${operands.imageWidth})`,
        );
        return { inside, element: shader.let("pixel", `${starts[j]} + ${h} * ${operands.imageWidth} + ${w}`) };
      });
      shader.block(`for (var k = 0; k < ${operands.depth}; k++)`, () => {
        const values = pixels.map(
          ({ inside, element }) =>
            `select(0.0, ${operands.image.load(`u32(${element} + k * ${operands.planePitch})`)}, ${inside})`,
        );
        const pixel = shader.let("values", `vec4<f32>(${values.join(", ")})`);
        const weight = shader.let("weight", `${tap} + k * ${operands.weightDepth}`);
        for (const [i, sum] of sums.entries()) {
          shader.line(`${sum} += ${operands.weight.load(`u32(${weightRows[i]} + ${weight})`)} * ${pixel};`);
        }
      });
    });
  });
  emitTileStores(shader, part, firstRow, [{ places: grid, sums }]);
  return shader.build(size, groups);
}
