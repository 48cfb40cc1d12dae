/**
 * The weight gradient without subgroups or workgroup memory: each invocation sums four columns (tap, c) times a few
 * output channels over the pixels of its split. Runs anywhere; all sizes are parameters.
 */
import type { ShaderBuilder } from "./builder.ts";
import {
  bindWeightGrad,
  emitColumn,
  emitSplitRange,
  emitWalk,
  emitWeightGradStores,
  type WeightGradPart,
} from "./conv2d-weight-grad-part.ts";
import type { Dispatch } from "./dispatch.ts";
import { divide } from "./division.ts";
import { gridOf } from "./grid.ts";

/** Columns per invocation: one vec4 of sums a row. */
const COLUMNS = 4;
/** Rows per invocation: every value of x is used as often. */
const ROWS = 4;

export function writeWeightGradDirect(shader: ShaderBuilder, part: WeightGradPart): Dispatch {
  const { rows, splits } = part;
  // a software adapter starts a workgroup as one vector of lanes; GPUs want a multiple of their subgroups
  const size = shader.traits.software ? 8 : 64;
  const rowTiles = Math.ceil((rows[1] - rows[0]) / ROWS);
  const frame = bindWeightGrad(shader, part, 1);
  const columnTiles = Math.ceil(frame.columns / (size * COLUMNS));
  const groups = gridOf(splits * columnTiles * rowTiles, shader.traits);
  const bound = groups[0] * groups[1];
  const group = shader.let("tile", shader.linearGroup(groups));
  const byRow = divide(shader, group, "rowTiles", rowTiles, bound);
  const rest = shader.let("rest", byRow.quotient);
  const byColumn = divide(shader, rest, "columnTiles", columnTiles, bound);
  const split = shader.let("split", byColumn.quotient);
  const firstRow = shader.let("firstRow", `${byRow.remainder} * ${ROWS}u`);
  const firstColumn = shader.let("firstColumn", `${byColumn.remainder} * ${size * COLUMNS}u`);
  const columns = Array.from({ length: COLUMNS }, (_, j) =>
    emitColumn(shader, part, frame, shader.let("index", `${firstColumn} + ${j * size}u + lane`)),
  );
  const gradRows = Array.from({ length: ROWS }, (_, i) =>
    shader.let(
      "gradRow",
      `i32(min(${firstRow} + ${i}u, ${frame.rows} - 1u)) * ${frame.gradPlane} + ${frame.gradStart}`,
    ),
  );
  const sums = gradRows.map(() => shader.var("sum", "vec4<f32>()"));
  const lastColumn = `min(${firstColumn} + ${size * COLUMNS - 1}u, ${frame.columnCount} - 1u)`;
  const range = emitSplitRange(shader, part, frame, split, firstColumn, lastColumn);
  const walk = emitWalk(shader, part, frame, range.first);
  const end = shader.let("end", `select(0u, ${range.end}, ${split} < ${shader.param("splits", "u32", splits)})`);
  shader.block(`for (var pixel = ${range.first}; pixel < ${end}; pixel++)`, () => {
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
  shader.block(`if (${split} < ${shader.param("splits", "u32", splits)})`, () =>
    emitWeightGradStores(shader, part, frame, split, firstRow, sums, columns),
  );
  return shader.build(size, groups);
}
