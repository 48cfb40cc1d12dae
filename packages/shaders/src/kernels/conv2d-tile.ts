/**
 * What every shader of a correlation (see conv2d-correlation.ts) begins with: which part of the result a dispatch
 * computes, where a place lies in the image, and the operands' addresses. Each family has its own inner loops, and
 * conv2d-tile-store.ts is how their sums leave.
 */
import type { ShaderBuilder } from "./builder.ts";
import type { Correlation } from "./conv2d-correlation.ts";
import type { Dispatch } from "./dispatch.ts";
import { divide } from "./division.ts";
import type { StorageBinding } from "./storage.ts";
import type { Width } from "./wgsl.ts";

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

/** Kernel inputs that hold the image and the weight: conv2d(x, weight) and conv2dInputGrad(grad, weight) agree. */
const [IMAGE, WEIGHT] = [0, 1];

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

/**
 * Binds image and weight and prepares their addresses; windows of them have been set before. An image bound at width 4
 * may only be loaded in whole vec4s.
 */
export function bindOperands(shader: ShaderBuilder, part: CorrelationPart, imageLoads: Width = 1): Operands {
  const { correlation, images, rows, depth } = part;
  const [height, width] = correlation.image;
  const plane = height * width;
  const pitch = correlation.depth * plane;
  const { weight: view, taps } = correlation;
  const first = view.offset + rows[0] * view.row + depth[0] * view.depth;
  const [imageBinding, weightBinding] = [shader.input(IMAGE, imageLoads), shader.input(WEIGHT, 1)];
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
