/**
 * Convolution for GPUs: an implicit matrix product through workgroup memory. A workgroup of 16 x 16 invocations computes
 * 64 rows (output channels) x 64 places; each invocation sums a block of 4 x 4. The summed index runs over channels and
 * taps together, 16 at a time, so that one channel of seven by seven taps fills the tile as well as many channels do.
 */
import type { ShaderBuilder } from "./builder.ts";
import { bindOperands, type CorrelationPart, emitGridPlace } from "./conv2d-tile.ts";
import { emitTileStores } from "./conv2d-tile-store.ts";
import type { Dispatch } from "./dispatch.ts";
import { gridOf } from "./grid.ts";

/** Invocations along each side of a workgroup. */
const SIDE = 16;
/** Rows and places of an invocation. */
const BLOCK = 4;
/** Rows and places of a workgroup. */
const TILE = SIDE * BLOCK;
/** Products a tile adds between two barriers: as many as one load a row of invocations fetches. */
const DEPTH = SIDE;

export function writeTiled(shader: ShaderBuilder, part: CorrelationPart): Dispatch {
  const { correlation, images, rows, depth } = part;
  const rowTiles = Math.ceil((rows[1] - rows[0]) / TILE);
  const placeTiles = Math.ceil(((images[1] - images[0]) * correlation.grid[0] * correlation.grid[1]) / TILE);
  const groups = gridOf(rowTiles * placeTiles, shader.traits);
  const tile = shader.let("tile", shader.linearGroup(groups));
  const rowTile = shader.let("rowTile", `${tile} % ${shader.param("rowTiles", "u32", rowTiles)}`);
  const placeTile = shader.let("placeTile", `${tile} / ${shader.param("rowTiles", "u32", rowTiles)}`);
  const operands = bindOperands(shader, part);
  const taps = shader.param("taps", "u32", correlation.taps[0] * correlation.taps[1]);
  const tapColumns = shader.param("columnsOfTaps", "u32", correlation.taps[1]);
  const total = shader.param("products", "u32", (depth[1] - depth[0]) * correlation.taps[0] * correlation.taps[1]);
  shader.declare(
    "tiles",
    `var<workgroup> weightTile: array<vec4<f32>, ${DEPTH * SIDE}>;\nvar<workgroup> imageTile: array<vec4<f32>, ${DEPTH * SIDE}>;`,
  );
  // as loader: line `loadLine` of both tiles, group of four `across`; as worker: rows of group `down`, places of `across`
  const across = shader.let("across", `lane % ${SIDE}u`);
  const down = shader.let("down", `lane / ${SIDE}u`);
  const loaderRow = shader.let("loaderRow", `${rowTile} * ${TILE}u + ${across} * ${BLOCK}u`);
  const lastRow = shader.let("lastRow", `${shader.param("rowCount", "u32", rows[1] - rows[0])} - 1u`);
  const weightRows = Array.from({ length: BLOCK }, (_, i) =>
    shader.let(
      "weightRow",
      `i32(min(${loaderRow} + ${i}u, ${lastRow})) * ${operands.weightRow} + ${operands.weightStart}`,
    ),
  );
  const places = Array.from({ length: BLOCK }, (_, j) => {
    const index = shader.let("index", `${placeTile} * ${TILE}u + ${across} * ${BLOCK}u + ${j}u`);
    return emitGridPlace(shader, part, index, (groups[0] * groups[1] + 1) * TILE);
  });
  const starts = places.map(({ image }) =>
    shader.let("start", `${image} * ${operands.imagePitch} + ${operands.imageStart}`),
  );
  const sums = Array.from({ length: BLOCK }, () => shader.var("sum", "vec4<f32>()"));
  const sign = correlation.step < 0 ? "-" : "+";
  shader.block(`for (var first = 0u; first < ${total}; first += ${DEPTH}u)`, () => {
    const product = shader.let("product", `first + ${down}`);
    const exists = shader.let("exists", `${product} < ${total}`);
    const k = shader.let("k", `${product} / max(${taps}, 1u)`);
    const tap = shader.let("tap", `${product} - ${k} * ${taps}`);
    const t = shader.let("t", `i32(${tap} / max(${tapColumns}, 1u))`);
    const u = shader.let("u", `i32(${tap}) - ${t} * i32(${tapColumns})`);
    const weight = shader.let(
      "weight",
      `i32(${k}) * ${operands.weightDepth} + ${t} * ${operands.weightTap[0]} + ${u} * ${operands.weightTap[1]}`,
    );
    const weights = weightRows.map(
      (row) => `select(0.0, ${operands.weight.load(`u32(${row} + ${weight})`)}, ${exists})`,
    );
    const pixels = places.map(({ top, left }, j) => {
      const [h, w] = [shader.let("h", `${top} ${sign} ${t}`), shader.let("w", `${left} ${sign} ${u}`)];
      const inside = `${exists} && u32(${h}) < u32(${operands.imageHeight}) && u32(${w}) < u32(${operands.imageWidth})`;
      const element = `${starts[j]} + i32(${k}) * ${operands.planePitch} + ${h} * ${operands.imageWidth} + ${w}`;
      return `select(0.0, ${operands.image.load(`u32(${element})`)}, ${inside})`;
    });
    shader.line(`weightTile[lane] = vec4<f32>(${weights.join(", ")});`);
    shader.line(`imageTile[lane] = vec4<f32>(${pixels.join(", ")});`);
    shader.line("workgroupBarrier();");
    shader.block(`for (var z = 0u; z < ${DEPTH}u; z++)`, () => {
      const own = shader.let("own", `weightTile[z * ${SIDE}u + ${down}]`);
      const values = shader.let("values", `imageTile[z * ${SIDE}u + ${across}]`);
      for (const [i, sum] of sums.entries()) shader.line(`${sum} += ${own}.${"xyzw"[i]} * ${values};`);
    });
    shader.line("workgroupBarrier();");
  });
  const firstRow = shader.let("firstRow", `${rowTile} * ${TILE}u + ${down} * ${BLOCK}u`);
  emitTileStores(shader, part, firstRow, [{ places, sums }]);
  return shader.build(SIDE * SIDE, groups);
}
