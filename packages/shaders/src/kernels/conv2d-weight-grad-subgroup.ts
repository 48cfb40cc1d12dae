/**
 * The weight gradient by subgroups of a known size: lanes own four columns (tap, c) each, rows are output channels
 * whose gradients are loaded by one lane and handed to the others by shuffle; four pixels an iteration. All sizes are
 * parameters.
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

/** Columns per lane: one vec4 of sums a row. */
const COLUMNS = 4;

export function writeWeightGradSubgroup(shader: ShaderBuilder, part: WeightGradPart): Dispatch {
  const { sizes, rows, splits } = part;
  const size = shader.traits.subgroupSize;
  // four pixels of one plane lie in one vec4 if planes do
  const vector = (sizes.P * sizes.Q) % 4 === 0;
  const rowCount = rows[1] - rows[0];
  // measured: 32 rows pay only where their gradients come as vec4
  const tileRows = rowCount > 16 && vector ? 32 : rowCount > 8 ? 16 : 8;
  const rowTiles = Math.ceil(rowCount / tileRows);
  const lane = shader.useSubgroups();
  const frame = bindWeightGrad(shader, part, vector ? 4 : 1);
  const columnTiles = Math.ceil(frame.columns / (size * COLUMNS));
  const groups = gridOf(splits * columnTiles * rowTiles, shader.traits);
  const bound = groups[0] * groups[1];
  const group = shader.let("tile", shader.linearGroup(groups));
  const byRow = divide(shader, group, "rowTiles", rowTiles, bound);
  const rest = shader.let("rest", byRow.quotient);
  const byColumn = divide(shader, rest, "columnTiles", columnTiles, bound);
  const split = shader.let("split", byColumn.quotient);
  const firstRow = shader.let("firstRow", `${byRow.remainder} * ${tileRows}u`);
  const firstColumn = shader.let("firstColumn", `${byColumn.remainder} * ${size * COLUMNS}u`);
  const columns = Array.from({ length: COLUMNS }, (_, j) =>
    emitColumn(shader, part, frame, shader.let("index", `${firstColumn} + ${j * size}u + ${lane}`)),
  );
  const gradRows = Array.from({ length: Math.ceil(tileRows / size) }, (_, i) => {
    const row = `min(${firstRow} + ${i * size}u + ${lane}, ${frame.rows} - 1u)`;
    return shader.let("gradRow", `i32(${row}) * ${frame.gradPlane} + ${frame.gradStart}`);
  });
  const sums = Array.from({ length: tileRows }, () => shader.var("sum", "vec4<f32>()"));
  const lastColumn = `min(${firstColumn} + ${size * COLUMNS - 1}u, ${frame.columnCount} - 1u)`;
  const range = emitSplitRange(shader, part, frame, split, firstColumn, lastColumn);
  const walk = emitWalk(shader, part, frame, range.first);
  // workgroups past the last split have no pixels
  const end = shader.let("end", `select(0u, ${range.end}, ${split} < ${shader.param("splits", "u32", splits)})`);
  shader.block(`for (var pixel = ${range.first}; pixel < ${end}; pixel += 4u)`, () => {
    const place = () =>
      shader.let("place", `${walk.n} * ${frame.gradImage} + ${walk.p} * ${frame.placeColumns} + ${walk.q}`);
    const quads: string[] = [];
    if (vector) {
      const first = place();
      for (const row of gradRows) quads.push(shader.let("quad", frame.grad.load(`u32(${row} + ${first})`)));
    }
    const grads: string[][] = [];
    const values: string[] = [];
    for (let z = 0; z < 4; z++) {
      const exists = vector ? "" : shader.let("exists", `pixel + ${z}u < ${end}`);
      const [top, left] = [
        shader.let("top", `${walk.p} * ${walk.strideY}`),
        shader.let("left", `${walk.q} * ${walk.strideX}`),
      ];
      const under = shader.let("under", `${walk.n} * ${frame.xImage} + ${top} * ${frame.width} + ${left}`);
      const loads = columns.map((column) => {
        const inside = `u32(${top} + ${column.top}) < u32(${frame.height}) && u32(${left} + ${column.left}) < u32(${frame.width})`;
        const load = frame.x.load(`u32(${under} + ${column.start})`);
        return `select(0.0, ${load}, ${inside}${vector ? "" : ` && ${exists}`})`;
      });
      values.push(shader.let("values", `vec4<f32>(${loads.join(", ")})`));
      if (vector) grads.push(quads.map((quad) => `${quad}.${"xyzw"[z]}`));
      else {
        const at = place();
        grads.push(
          gradRows.map((row) =>
            shader.let("grad", `select(0.0, ${frame.grad.load(`u32(${row} + ${at})`)}, ${exists})`),
          ),
        );
      }
      walk.step();
    }
    // row outermost, so that only its own operands need registers
    sums.forEach((sum, i) => {
      const products = values.map(
        (value, z) => `subgroupShuffle(${grads[z][Math.floor(i / size)]}, ${i % size}u) * ${value}`,
      );
      shader.line(`${sum} += ${products.join(" + ")};`);
    });
  });
  shader.block(`if (${split} < ${shader.param("splits", "u32", splits)})`, () =>
    emitWeightGradStores(shader, part, frame, split, firstRow, sums, columns),
  );
  return shader.build(size, groups);
}
