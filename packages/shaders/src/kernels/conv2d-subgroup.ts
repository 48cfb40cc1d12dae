/**
 * Convolution by subgroups of a known size, as an implicit matrix product: lanes hold places, rows are output channels,
 * and each weight is loaded by one lane and handed to the others by shuffle. No workgroup memory, no barrier; on CPU
 * adapters, where a load costs ten multiplications, this is many times faster than classic tiles.
 *
 * Two shapes share this file's frame:
 * - `line`: a lane owns four neighbouring places of a line, and loads the stretch of the image line under them once for
 *   all taps of a kernel line. Taps per line and stride are in the text. Best where lines fill fours.
 * - `channel`: a lane owns any four places and takes four channels at a time under one tap. Everything is a parameter.
 *   Best for maps one or two pixels wide and for 1x1 kernels.
 */
import type { ShaderBuilder } from "./builder.ts";
import type { Correlation } from "./conv2d-correlation.ts";
import {
  bindOperands,
  type CorrelationPart,
  emitGridPlace,
  emitTileStores,
  type GridPlace,
  type Operands,
} from "./conv2d-tile.ts";
import type { Dispatch } from "./dispatch.ts";
import { divide } from "./division.ts";
import { gridOf } from "./grid.ts";

/** Places per lane: one vec4 of sums a row. */
const PLACES = 4;
/** Taps a line that may be unrolled: text and compile time grow with taps x rows. */
const MOST_LINE_TAPS = 8;
/** Workgroups that keep the cores of a software adapter, or a small GPU, busy. */
const BUSY_GROUPS = 16;

export type SubgroupShape = "line" | "channel";

/** Which of the two shapes suits a correlation. */
export function chooseShape({ taps, grid, depth }: Correlation): SubgroupShape {
  if (taps[1] < 2 || taps[1] > MOST_LINE_TAPS) return "channel";
  const filled = grid[1] / (PLACES * Math.ceil(grid[1] / PLACES));
  // measured: 14, 7, 4 wide gain by lines, 2 and 1 wide lose; fewer than four channels would idle in steps of four
  return filled > 0.6 || depth < 4 ? "line" : "channel";
}

/** Rows of a tile: as many as the sums' registers allow, fewer where rows or tiles would be idle. */
export function chooseTileRows(rows: number, placeTiles: number, shape: SubgroupShape, lineTaps: number): number {
  // 32 rows x 4 places fill the registers; wide lines need room for their values
  const most = shape === "line" && lineTaps > 4 ? 16 : 32;
  for (const candidate of [32, 16]) {
    if (candidate <= most && rows > candidate / 2 && placeTiles * Math.ceil(rows / candidate) >= BUSY_GROUPS)
      return candidate;
  }
  if (rows > 8 && placeTiles * Math.ceil(rows / 16) >= 2) return 16;
  // the input gradient of a first layer has one or three rows
  return rows <= 4 ? 4 : 8;
}

export function writeSubgroup(shader: ShaderBuilder, part: CorrelationPart): Dispatch {
  const { correlation, images, rows } = part;
  const size = shader.traits.subgroupSize;
  const shape = chooseShape(correlation);
  const lines = (images[1] - images[0]) * correlation.grid[0];
  const lanes =
    shape === "line"
      ? lines * Math.ceil(correlation.grid[1] / PLACES)
      : Math.ceil((lines * correlation.grid[1]) / PLACES);
  const placeTiles = Math.ceil(lanes / size);
  const tileRows = shader.traits.tileRows ?? chooseTileRows(rows[1] - rows[0], placeTiles, shape, correlation.taps[1]);
  const rowTiles = Math.ceil((rows[1] - rows[0]) / tileRows);
  const subgroupLane = shader.useSubgroups();
  const groups = gridOf(rowTiles * placeTiles, shader.traits);
  const group = shader.let("tile", shader.linearGroup(groups));
  const bound = groups[0] * groups[1];
  // row tiles vary fastest: neighbours share the image, which is the larger operand
  const tile = divide(shader, group, "rowTiles", rowTiles, bound);
  const firstRow = shader.let("firstRow", `${tile.remainder} * ${tileRows}u`);
  const operands = bindOperands(shader, part);
  const lastRow = shader.let("lastRow", `${shader.param("rowCount", "u32", rows[1] - rows[0])} - 1u`);
  const weightRows = Array.from({ length: Math.ceil(tileRows / size) }, (_, i) =>
    shader.let(
      "weightRow",
      `i32(min(${firstRow} + ${i * size}u + ${subgroupLane}, ${lastRow})) * ${operands.weightRow} + ${operands.weightStart}`,
    ),
  );
  const frame: Frame = {
    shader,
    part,
    operands,
    weightRows,
    size,
    lane: subgroupLane,
    tile: tile.quotient,
    tileRows,
    bound: (bound + 1) * size * PLACES,
  };
  const { sums, places } = shape === "line" ? sumLines(frame) : sumChannels(frame);
  emitTileStores(shader, part, firstRow, sums, places);
  return shader.build(size, groups);
}

interface Frame {
  readonly shader: ShaderBuilder;
  readonly part: CorrelationPart;
  readonly operands: Operands;
  /** Element of the weight rows this lane loads: row i of the tile is lane i % size of entry floor(i / size). */
  readonly weightRows: readonly string[];
  readonly size: number;
  readonly lane: string;
  /** Number of the tile of places. */
  readonly tile: string;
  readonly tileRows: number;
  /** Above every place index that occurs. */
  readonly bound: number;
}

interface Sums {
  readonly sums: readonly string[];
  readonly places: readonly GridPlace[];
}

/** Adds products to the sums of each row: row outermost, so that only its own operands need registers. */
function emitProducts(
  { shader, size }: Frame,
  sums: readonly string[],
  weights: readonly (readonly string[])[],
  values: readonly string[],
): void {
  sums.forEach((sum, i) => {
    const products = values.map(
      (value, z) => `subgroupShuffle(${weights[z][Math.floor(i / size)]}, ${i % size}u) * ${value}`,
    );
    shader.line(`${sum} += ${products.join(" + ")};`);
  });
}

function sumLines(frame: Frame): Sums {
  const { shader, part, operands, weightRows } = frame;
  const { correlation } = part;
  const [taps, stride, step] = [correlation.taps[1], correlation.stride[1], correlation.step];
  const run = shader.let("run", `${frame.tile} * ${frame.size}u + ${frame.lane}`);
  const place = emitGridPlace(shader, part, run, frame.bound, PLACES);
  // the stretch of the image line under four places and all taps
  const lowest = step < 0 ? 1 - taps : 0;
  const length = (PLACES - 1) * stride + taps;
  const left = shader.let("left", `${place.left} + ${lowest}`);
  const inLine = Array.from({ length }, (_, z) =>
    shader.let("inLine", `u32(${left} + ${z}) < u32(${operands.imageWidth})`),
  );
  const start = shader.let("start", `${place.image} * ${operands.imagePitch} + ${operands.imageStart} + ${left}`);
  const sums = Array.from({ length: frame.tileRows }, () => shader.var("sum", "vec4<f32>()"));
  shader.block(`for (var k = 0; k < ${operands.depth}; k++)`, () => {
    shader.block(`for (var t = 0; t < ${operands.taps[0]}; t++)`, () => {
      const weight = shader.let("weight", `k * ${operands.weightDepth} + t * ${operands.weightTap[0]}`);
      const h = shader.let("h", `${place.top} ${step < 0 ? "-" : "+"} t`);
      const inside = shader.let("inside", `u32(${h}) < u32(${operands.imageHeight})`);
      const line = shader.let("line", `${start} + k * ${operands.planePitch} + ${h} * ${operands.imageWidth}`);
      const stretch = inLine.map((inColumn, z) =>
        shader.let("pixel", `select(0.0, ${operands.image.load(`u32(${line} + ${z})`)}, ${inside} && ${inColumn})`),
      );
      const taken = Array.from({ length: taps }, (_, u) => {
        const at = (j: number) => stretch[j * stride + step * u - lowest];
        return shader.let("values", `vec4<f32>(${[0, 1, 2, 3].map(at).join(", ")})`);
      });
      const weights = taken.map((_, u) =>
        weightRows.map((row) =>
          shader.let("weight", operands.weight.load(`u32(${row} + ${weight} + ${u} * ${operands.weightTap[1]})`)),
        ),
      );
      emitProducts(frame, sums, weights, taken);
    });
  });
  const width = shader.param("gridWidthPlaces", "i32", correlation.grid[1]);
  const places = Array.from({ length: PLACES }, (_, j) => ({
    ...place,
    live: `${place.live} && ${place.x} + ${j} < ${width}`,
    x: `(${place.x} + ${j})`,
  }));
  return { sums, places };
}

function sumChannels(frame: Frame): Sums {
  const { shader, part, operands, weightRows } = frame;
  const places = Array.from({ length: PLACES }, (_, j) => {
    const index = shader.let("index", `${frame.tile} * ${frame.size * PLACES}u + ${j * frame.size}u + ${frame.lane}`);
    return emitGridPlace(shader, part, index, frame.bound);
  });
  const starts = places.map(({ image }) =>
    shader.let("start", `${image} * ${operands.imagePitch} + ${operands.imageStart}`),
  );
  const sums = Array.from({ length: frame.tileRows }, () => shader.var("sum", "vec4<f32>()"));
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
          weightRows.map((row) => {
            const load = operands.weight.load(`u32(${row} + ${tap} + ${k} * ${operands.weightDepth})`);
            return shader.let("weight", ragged ? `select(0.0, ${load}, ${exists[z]})` : load);
          }),
        );
        emitProducts(frame, sums, weights, values);
      });
    });
  });
  return { sums, places };
}
