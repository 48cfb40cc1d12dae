/**
 * The weight gradient by subgroups of a known size: lanes own four columns (tap, c) each, rows are output channels
 * whose gradients are loaded by one lane and handed to the others by shuffle; four pixels an iteration. All sizes are
 * parameters.
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

/** Columns per lane: one vec4 of sums a row. */
const COLUMNS = 4;

export function writeWeightGradSubgroup(shader: ShaderBuilder, part: WeightGradPart): Dispatch {
  const { sizes, rows } = part;
  const size = shader.traits.subgroupSize;
  // four pixels of one plane lie in one vec4 if planes do
  const vector = (sizes.P * sizes.Q) % 4 === 0;
  const rowCount = rows[1] - rows[0];
  // measured: 32 rows pay only where their gradients come as vec4
  const tileRows = rowCount > 16 && vector ? 32 : rowCount > 8 ? 16 : 8;
  const lane = shader.useSubgroups();
  const frame = bindWeightGrad(shader, part, vector ? 4 : 1);
  const tile = emitTile(shader, part, frame, tileRows, size * COLUMNS);
  const columns = Array.from({ length: COLUMNS }, (_, j) =>
    emitColumn(shader, part, frame, shader.let("index", `${tile.firstColumn} + ${j * size}u + ${lane}`)),
  );
  const gradRows = Array.from({ length: Math.ceil(tileRows / size) }, (_, i) => {
    const row = `min(${tile.firstRow} + ${i * size}u + ${lane}, ${frame.rows} - 1u)`;
    return shader.let("gradRow", `i32(${row}) * ${frame.gradPlane} + ${frame.gradStart}`);
  });
  const sums = Array.from({ length: tileRows }, () => shader.var("sum", "vec4<f32>()"));
  const { first, end, walk } = emitPixels(shader, part, frame, tile, size * COLUMNS);
  shader.block(`for (var pixel = ${first}; pixel < ${end}; pixel += 4u)`, () => {
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
  emitWeightGradStores(shader, part, frame, tile, sums, columns);
  return shader.build(size, tile.groups);
}
