/**
 * The weight gradient without subgroups or workgroup memory: each invocation sums four columns (tap, c) times a few
 * output channels over the pixels of its split. Runs anywhere; all sizes are parameters.
 */
import type { ShaderBuilder } from "./builder.ts";
import {
  bindWeightGrad,
  emitColumn,
  emitPixels,
  emitTile,
  emitWeightGradStores,
  type WeightGradPart,
} from "./conv2d-weight-grad-part.ts";
import type { Dispatch } from "./dispatch.ts";

/** Columns per invocation: one vec4 of sums a row. */
const COLUMNS = 4;
/** Rows per invocation: every value of x is used as often. */
const ROWS = 4;

export function writeWeightGradDirect(shader: ShaderBuilder, part: WeightGradPart): Dispatch {
  // a software adapter starts a workgroup as one vector of lanes; GPUs want a multiple of their subgroups
  const size = shader.traits.software ? 8 : 64;
  const frame = bindWeightGrad(shader, part, 1);
  const tile = emitTile(shader, part, frame, ROWS, size * COLUMNS);
  const columns = Array.from({ length: COLUMNS }, (_, j) =>
    emitColumn(shader, part, frame, shader.let("index", `${tile.firstColumn} + ${j * size}u + lane`)),
  );
  const gradRows = Array.from({ length: ROWS }, (_, i) =>
    shader.let(
      "gradRow",
      `i32(min(${tile.firstRow} + ${i}u, ${frame.rows} - 1u)) * ${frame.gradPlane} + ${frame.gradStart}`,
    ),
  );
  const sums = gradRows.map(() => shader.var("sum", "vec4<f32>()"));
  const { first, end, walk } = emitPixels(shader, part, frame, tile, size * COLUMNS);
  shader.block(`for (var pixel = ${first}; pixel < ${end}; pixel++)`, () => {
    const [top, left] = [
      shader.let("top", `${walk.p} * ${walk.strideY}`),
      shader.let("left", `${walk.q} * ${walk.strideX}`),
    ];
    const under = shader.let("under", `${walk.n} * ${frame.xImage} + ${top} * ${frame.width} + ${left}`);
    const loads = columns.map((column) => {
      const inside = `u32(${top} + ${column.top}) < u32(${frame.height}) && u32(${left} + ${column.left}) < u32(${frame.width})`;
      return `select(0.0, ${frame.x.load(`u32(${under} + ${column.start})`)}, ${inside})`;
    });
    const values = shader.let("values", `vec4<f32>(${loads.join(", ")})`);
    const at = shader.let("place", `${walk.n} * ${frame.gradImage} + ${walk.p} * ${frame.placeColumns} + ${walk.q}`);
    for (const [i, sum] of sums.entries()) {
      shader.line(`${sum} += ${frame.grad.load(`u32(${gradRows[i]} + ${at})`)} * ${values};`);
    }
    walk.step();
  });
  emitWeightGradStores(shader, part, frame, tile, sums, columns);
  return shader.build(size, tile.groups);
}
