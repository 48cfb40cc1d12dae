/**
 * Convolution by subgroups of a known size, as an implicit matrix product: lanes hold places, rows are output channels,
 * and each weight is loaded by one lane and handed to the others by shuffle. No workgroup memory, no barrier; on CPU
 * adapters, where a load costs ten multiplications, this is many times faster than classic tiles.
 *
 * Three shapes share this frame: `line`, `flat` and `channel`, each in a file of its own; conv2d-subgroup-tile.ts says which
 * of them a correlation takes, and how large a tile.
 */
import type { ShaderBuilder } from "./builder.ts";
import { sumChannels } from "./conv2d-subgroup-channel.ts";
import { flatRuns } from "./conv2d-subgroup-flat.ts";
import { emitWeightRow, type SubgroupFrame } from "./conv2d-subgroup-frame.ts";
import { lineRuns } from "./conv2d-subgroup-line.ts";
import { sumRuns } from "./conv2d-subgroup-runs.ts";
import { chooseTile, PLACES, runCount, type SubgroupShape, type SubgroupTile } from "./conv2d-subgroup-tile.ts";
import { bindOperands, type CorrelationPart } from "./conv2d-tile.ts";
import { emitTileStores, type TileRun } from "./conv2d-tile-store.ts";
import type { Dispatch } from "./dispatch.ts";
import { divide } from "./division.ts";
import { gridOf } from "./grid.ts";

export function writeSubgroup(shader: ShaderBuilder, part: CorrelationPart): Dispatch {
  const { correlation, rows } = part;
  const { subgroupSize: size } = shader.traits;
  const tile = chooseTile(shader.kernel, part, shader.traits);
  const placeTiles = Math.ceil(runCount(part, tile.shape) / (size * tile.runs));
  const rowTiles = Math.ceil((rows[1] - rows[0]) / tile.rows);
  const lane = shader.useSubgroups();
  const groups = gridOf(rowTiles * placeTiles, shader.traits);
  const group = shader.let("tile", shader.linearGroup(groups));
  const bound = groups[0] * groups[1];
  // neighbouring workgroups share the larger operand; past the last tile, places or rows do not exist
  const imageFirst = sharesImage(part);
  const cut = imageFirst
    ? divide(shader, group, "rowTiles", rowTiles, bound)
    : divide(shader, group, "placeTiles", placeTiles, bound);
  const [rowTile, placeTile] = imageFirst ? [cut.remainder, cut.quotient] : [cut.quotient, cut.remainder];
  const firstRow = shader.let("firstRow", `${rowTile} * ${tile.rows}u`);
  const operands = bindOperands(shader, part, tile.vector ? 4 : 1);
  const lastRow = shader.let("lastRow", `${shader.param("rowCount", "u32", rows[1] - rows[0])} - 1u`);
  const weightRows = Array.from({ length: Math.ceil(tile.rows / size) }, (_, i) =>
    emitWeightRow(shader, correlation, operands, `min(${firstRow} + ${i * size}u + ${lane}, ${lastRow})`),
  );
  const frame: SubgroupFrame = {
    shader,
    part,
    operands,
    weightRows,
    size,
    lane,
    tile: placeTile,
    rows: tile.rows,
    bound: (bound + 1) * size * tile.runs * PLACES,
  };
  const runs = sums[tile.shape](frame, tile);
  emitTileStores(shader, part, firstRow, runs, tile.shape === "line");
  return shader.build(size, groups);
}

const sums: { readonly [Shape in SubgroupShape]: (frame: SubgroupFrame, tile: SubgroupTile) => TileRun[] } = {
  line: (frame, tile) => sumRuns(frame, lineRuns(frame, tile)),
  flat: (frame, tile) => sumRuns(frame, flatRuns(frame, tile)),
  channel: sumChannels,
};

/** Whether the image is larger than the weight. */
function sharesImage({ correlation: { images, rows, depth, image, taps } }: CorrelationPart): boolean {
  return images * image[0] * image[1] * depth >= rows * depth * taps[0] * taps[1];
}
