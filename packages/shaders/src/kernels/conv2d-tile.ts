/**
 * What every shader of a correlation (see conv2d-correlation.ts) begins and ends with: which part of the result a
 * dispatch computes, where a place lies in image and result, and the loop that sends finished sums through the fused
 * epilogue. In between, each family has its own inner loops.
 */
import { elementCount, type Kernel } from "@guidance/tensor";
import { emitStores } from "./body.ts";
import type { ShaderBuilder } from "./builder.ts";
import type { Correlation } from "./conv2d-correlation.ts";
import type { Dispatch } from "./dispatch.ts";
import { divide } from "./division.ts";
import { knownPlace } from "./place.ts";
import type { StorageBinding } from "./storage.ts";

/** The part of a correlation that one dispatch computes: ranges [start, end). */
export interface CorrelationPart {
  readonly correlation: Correlation;
  readonly images: readonly [number, number];
  readonly rows: readonly [number, number];
  /** Range of k summed here; all of it unless the sums go to scratch. */
  readonly depth: readonly [number, number];
  /** Sends the bare sums to scratch 0, over or on top of what is there; undefined: epilogue and outputs. */
  readonly scratch?: "write" | "add";
}

/** A dispatch that fills one part: printed by one family. */
export type CorrelationWriter = (shader: ShaderBuilder, part: CorrelationPart) => Dispatch;

/** Kernel inputs that hold the image and the weight. */
export function operandsOf(kernel: Kernel): { readonly image: number; readonly weight: number } {
  // conv2d(x, weight) and conv2dInputGrad(grad, weight) agree
  if (kernel.core?.op !== "conv2d" && kernel.core?.op !== "conv2dInputGrad")
    throw new Error(`${kernel.label} is no correlation`);
  return { image: 0, weight: 1 };
}

/**
 * A row so far outside every image that no tap reaches back in: what idle lanes work on. (Its product with a row
 * pitch may wrap around; the element is then replaced by zero all the same.)
 */
const FAR_OUTSIDE = -(2 ** 20);

/** One place of the grid as WGSL names; all i32 but `live`. */
export interface GridPlace {
  /** Whether the place exists: tiles overhang. */
  readonly live: string;
  /** Image, counted from the first of the part. */
  readonly image: string;
  /** Coordinates in the grid. */
  readonly y: string;
  readonly x: string;
  /** Image row and column under tap (0, 0). */
  readonly top: string;
  readonly left: string;
}

/**
 * Prints where grid place number `index` (a u32 name) of the part lies, each line of the grid being cut into
 * `perLine` runs of `run` places. `bound` is above every index that occurs.
 */
export function emitGridPlace(
  shader: ShaderBuilder,
  { correlation, images }: CorrelationPart,
  index: string,
  bound: number,
  run = 1,
): GridPlace {
  const perLine = Math.ceil(correlation.grid[1] / run);
  const count = (images[1] - images[0]) * correlation.grid[0] * perLine;
  const live = shader.let("live", `${index} < ${shader.param("gridPlaces", "u32", count)}`);
  const column = divide(shader, index, "gridRuns", perLine, bound);
  const line = shader.let("line", column.quotient);
  const row = divide(shader, line, "gridHeight", correlation.grid[0], bound);
  const image = shader.let("image", `i32(${row.quotient})`);
  const y = shader.let("y", `i32(${row.remainder})`);
  const x = shader.let("x", run === 1 ? `i32(${column.remainder})` : `i32(${column.remainder} * ${run}u)`);
  const [strideY, strideX] = [0, 1].map((axis) => shader.param(`stride${axis}`, "i32", correlation.stride[axis]));
  const [originY, originX] = [0, 1].map((axis) => shader.param(`origin${axis}`, "i32", correlation.origin[axis]));
  const top = shader.let("top", `select(${FAR_OUTSIDE}, ${y} * ${strideY} + ${originY}, ${live})`);
  const left = shader.let("left", `${x} * ${strideX} + ${originX}`);
  return { live, image, y, x, top, left };
}

/** The image and weight bindings of a part with the parameters that address them (i32 names). */
export interface Operands {
  readonly image: StorageBinding;
  readonly weight: StorageBinding;
  readonly imageHeight: string;
  readonly imageWidth: string;
  /** Elements from one image, and one channel, to the next. */
  readonly imagePitch: string;
  readonly planePitch: string;
  /** Element of image 0, channel 0 of the part. */
  readonly imageStart: string;
  /** Element of row 0, tap (0, 0), k 0 of the part. */
  readonly weightStart: string;
  readonly depth: string;
  readonly taps: readonly [string, string];
  readonly weightRow: string;
  readonly weightDepth: string;
  readonly weightTap: readonly [string, string];
}

/** Binds image and weight and prepares their addresses; windows of them have been set before. */
export function bindOperands(shader: ShaderBuilder, part: CorrelationPart): Operands {
  const { correlation, images, rows, depth } = part;
  const { image, weight } = operandsOf(shader.kernel);
  const [height, width] = correlation.image;
  const plane = height * width;
  const pitch = correlation.depth * plane;
  const { weight: view, taps } = correlation;
  const first = view.offset + rows[0] * view.row + depth[0] * view.depth;
  const [imageBinding, weightBinding] = [shader.input(image), shader.input(weight)];
  return {
    image: imageBinding,
    weight: weightBinding,
    imageHeight: shader.param("imageHeight", "i32", height),
    imageWidth: shader.param("imageWidth", "i32", width),
    imagePitch: shader.param("imagePitch", "i32", pitch),
    planePitch: shader.param("planePitch", "i32", plane),
    imageStart: shader.param("imageStart", "i32", images[0] * pitch + depth[0] * plane - imageBinding.origin),
    weightStart: shader.param("weightStart", "i32", first - weightBinding.origin),
    depth: shader.param("depth", "i32", depth[1] - depth[0]),
    taps: [shader.param("tapRows", "i32", taps[0]), shader.param("tapColumns", "i32", taps[1])],
    weightRow: shader.param("weightRow", "i32", view.row),
    weightDepth: shader.param("weightDepth", "i32", view.depth),
    weightTap: [
      shader.param("weightTapRow", "i32", view.tapRow),
      shader.param("weightTapColumn", "i32", view.tapColumn),
    ],
  };
}

/**
 * Sends the sums of one tile to the epilogue. `sums[i]` is a vec4 of the sums of row `firstRow + i` at four places.
 */
export function emitTileStores(
  shader: ShaderBuilder,
  part: CorrelationPart,
  firstRow: string,
  sums: readonly string[],
  places: readonly GridPlace[],
): void {
  const { correlation } = part;
  const sizes = [correlation.images, correlation.rows, ...correlation.plane];
  const rows = shader.param("rows", "u32", part.rows[1] - part.rows[0]);
  const first = shader.param("firstRow", "u32", part.rows[0]);
  const pitch = shader.param("resultPlane", "u32", sizes[2] * sizes[3]);
  const results = places.map((place) => emitResultPlace(shader, part, place));
  const live = places.map((place) => place.live);
  emitRows(shader, { firstRow, rows, sums, live }, (row, j, sum) => {
    const { n, h, w, start } = results[j];
    const m = shader.let("m", `${row} + ${first}`);
    const linear = shader.let("index", `${start} + ${m} * ${pitch}`);
    const place = knownPlace(shader, sizes, [n, m, h, w], linear, "result");
    if (part.scratch === undefined) emitStores(shader, shader.kernel, { place, results: [sum] });
    else emitScratchStore(shader, elementCount(sizes), linear, sum, part.scratch === "add");
  });
}

/** Where a place lies in the result: its coordinates and its element in row 0, as u32 names. */
function emitResultPlace(shader: ShaderBuilder, { correlation, images }: CorrelationPart, place: GridPlace) {
  const { rows, spread, shift, plane } = correlation;
  const spreadOf = (axis: number, coordinate: string) =>
    spread[axis] === 1
      ? coordinate
      : `${coordinate} * ${shader.param(`spread${axis}`, "i32", spread[axis])} + ${shader.param(`shift${axis}`, "i32", shift[axis])}`;
  const n = shader.let("n", `u32(${place.image}) + ${shader.param("firstImage", "u32", images[0])}`);
  const h = shader.let("h", `u32(${spreadOf(0, place.y)})`);
  const w = shader.let("w", `u32(${spreadOf(1, place.x)})`);
  const image = shader.param("resultImage", "u32", rows * plane[0] * plane[1]);
  const start = shader.let("start", `${n} * ${image} + ${h} * ${shader.param("resultWidth", "u32", plane[1])} + ${w}`);
  return { n, h, w, start };
}

export interface TileRows {
  readonly firstRow: string;
  /** Rows that exist; the tile may overhang. */
  readonly rows: string;
  /** One vec4 a row. */
  readonly sums: readonly string[];
  /** Which of the four columns exist. */
  readonly live: readonly string[];
}

/**
 * Calls `store` where the text of each existing sum's epilogue goes. The rows go through an array and a loop, so that
 * the epilogue is printed four times and not 4 x rows times: its text decides how long a driver compiles.
 */
export function emitRows(
  shader: ShaderBuilder,
  { firstRow, rows, sums, live }: TileRows,
  store: (row: string, column: number, sum: string) => void,
): void {
  const tile = shader.name("tile");
  shader.line(`var ${tile} = array<vec4<f32>, ${sums.length}>(${sums.join(", ")});`);
  const i = shader.name("i");
  const count = shader.let("count", `min(${sums.length}u, ${rows} - min(${rows}, ${firstRow}))`);
  shader.block(`for (var ${i} = 0u; ${i} < ${count}; ${i}++)`, () => {
    const values = shader.let("values", `${tile}[${i}]`);
    live.forEach((condition, j) => {
      shader.block(`if (${condition})`, () => store(`(${firstRow} + ${i})`, j, `${values}.${"xyzw"[j]}`));
    });
  });
}

/** Stores a bare sum in scratch 0 at `element`, which holds `total` elements, or adds it to what is there. */
export function emitScratchStore(
  shader: ShaderBuilder,
  total: number,
  element: string,
  sum: string,
  add: boolean,
): void {
  const scratch = shader.scratch(0, "f32", total, "read_write");
  const at = shader.let("at", `${element} + ${shader.param("scratchStart", "u32", -scratch.origin)}`);
  // a parameter, not text: both need the same pipeline
  const kept = `select(0.0, ${scratch.load(at)}, ${shader.param("addToScratch", "u32", Number(add))} != 0u)`;
  shader.line(scratch.store(at, `${kept} + ${sum}`));
}
