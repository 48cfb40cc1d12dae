/**
 * What both families of the weight gradient share: the part of it that a dispatch computes, where the columns of its
 * matrix lie, the walk over the pixels of a split, and the stores.
 */
import { type ConvAttrs, type ConvSizes, elementCount } from "@guidance/tensor";
import { emitStores } from "./body.ts";
import type { ShaderBuilder } from "./builder.ts";
import { usefulTaps } from "./conv2d-correlation.ts";
import { emitRows, emitScratchStore } from "./conv2d-tile-store.ts";
import { divide } from "./division.ts";
import { gridOf } from "./grid.ts";
import { knownPlace } from "./place.ts";
import type { StorageBinding } from "./storage.ts";

/** The part of a weight gradient that one dispatch computes: ranges [start, end). */
export interface WeightGradPart {
  readonly sizes: ConvSizes;
  readonly attrs: ConvAttrs;
  readonly images: readonly [number, number];
  /** Output channels. */
  readonly rows: readonly [number, number];
  /** Parts into which the pixels are split; each has a slice of scratch. */
  readonly splits: number;
  /** Sends the bare sums to scratch 0, over or on top of what is there; undefined: epilogue and outputs. */
  readonly scratch?: "write" | "add";
}

/** One column of the matrix: a tap of one input channel, as u32 names. Columns are ordered (r, s, c). */
export interface WeightColumn {
  readonly live: string;
  readonly c: string;
  readonly r: string;
  readonly s: string;
  /** Element of the weight in row 0. */
  readonly weight: string;
  /** The tap's offset from the place in x: i32 names. */
  readonly top: string;
  readonly left: string;
  /** Element of x under this tap at place (0, 0) of an image at element 0 (i32). */
  readonly start: string;
}

/** Sizes and pitches as parameter names; all i32 but `rows`. */
export interface WeightGradFrame {
  readonly x: StorageBinding;
  readonly grad: StorageBinding;
  readonly columns: number;
  readonly columnCount: string;
  readonly rows: string;
  readonly height: string;
  readonly width: string;
  readonly xImage: string;
  readonly xStart: string;
  readonly gradImage: string;
  readonly gradPlane: string;
  readonly gradStart: string;
  readonly placeRows: string;
  readonly placeColumns: string;
  readonly pixels: string;
  readonly perSplit: string;
}

/** Binds x and grad (the latter at `gradWidth`) and prepares their addresses. */
export function bindWeightGrad(shader: ShaderBuilder, part: WeightGradPart, gradWidth: 1 | 4): WeightGradFrame {
  const { C, O, H, W, P, Q, R, S } = part.sizes;
  const x = shader.input(0);
  const grad = shader.input(1, gradWidth);
  const images = part.images[1] - part.images[0];
  const pixels = images * P * Q;
  // whole fours, so that a group of four pixels belongs to one split
  const perSplit = 4 * Math.ceil(pixels / part.splits / 4);
  return {
    x,
    grad,
    columns: C * R * S,
    columnCount: shader.param("columns", "u32", C * R * S),
    rows: shader.param("rows", "u32", part.rows[1] - part.rows[0]),
    height: shader.param("height", "i32", H),
    width: shader.param("width", "i32", W),
    xImage: shader.param("xImage", "i32", C * H * W),
    xStart: shader.param("xStart", "i32", part.images[0] * C * H * W - x.origin),
    gradImage: shader.param("gradImage", "i32", O * P * Q),
    gradPlane: shader.param("gradPlane", "i32", P * Q),
    gradStart: shader.param("gradStart", "i32", (part.images[0] * O + part.rows[0]) * P * Q - grad.origin),
    placeRows: shader.param("placeRows", "i32", P),
    placeColumns: shader.param("placeColumns", "i32", Q),
    pixels: shader.param("pixels", "u32", pixels),
    perSplit: shader.param("perSplit", "u32", perSplit),
  };
}

/** Where a workgroup works: names of its split, first row and first column. */
interface WeightGradTile {
  readonly groups: readonly [number, number, number];
  readonly split: string;
  readonly firstRow: string;
  readonly firstColumn: string;
}

/** Prints which split and which `tileRows` x `tileColumns` of the matrix the workgroup computes. */
export function emitTile(
  shader: ShaderBuilder,
  { rows, splits }: WeightGradPart,
  frame: WeightGradFrame,
  tileRows: number,
  tileColumns: number,
): WeightGradTile {
  const rowTiles = Math.ceil((rows[1] - rows[0]) / tileRows);
  const columnTiles = Math.ceil(frame.columns / tileColumns);
  const groups = gridOf(splits * columnTiles * rowTiles, shader.traits);
  const bound = groups[0] * groups[1];
  const group = shader.let("tile", shader.linearGroup(groups));
  const byRow = divide(shader, group, "rowTiles", rowTiles, bound);
  const rest = shader.let("rest", byRow.quotient);
  const byColumn = divide(shader, rest, "columnTiles", columnTiles, bound);
  const split = shader.let("split", byColumn.quotient);
  const firstRow = shader.let("firstRow", `${byRow.remainder} * ${tileRows}u`);
  const firstColumn = shader.let("firstColumn", `${byColumn.remainder} * ${tileColumns}u`);
  return { groups, split, firstRow, firstColumn };
}

/** Prints where column number `index` (a u32 name below `bound`) lies; columns past the end are clamped. */
export function emitColumn(
  shader: ShaderBuilder,
  { sizes, attrs }: WeightGradPart,
  frame: WeightGradFrame,
  index: string,
): WeightColumn {
  const { C, H, W, R, S } = sizes;
  const live = shader.let("live", `${index} < ${frame.columnCount}`);
  const column = shader.let("column", `min(${index}, ${frame.columnCount} - 1u)`);
  const tap = divide(shader, column, "channels", C, C * R * S);
  const tapNumber = shader.let("tap", tap.quotient);
  const position = divide(shader, tapNumber, "tapColumns", S, R * S);
  const top = shader.let("top", `i32(${position.quotient}) - ${shader.param("padding0", "i32", attrs.padding[0])}`);
  const left = shader.let("left", `i32(${position.remainder}) - ${shader.param("padding1", "i32", attrs.padding[1])}`);
  const plane = shader.param("plane", "i32", H * W);
  const start = shader.let(
    "start",
    `i32(${tap.remainder}) * ${plane} + ${top} * ${frame.width} + ${left} + ${frame.xStart}`,
  );
  const taps = shader.param("taps", "u32", R * S);
  const weight = shader.let("weight", `${tap.remainder} * ${taps} + ${tapNumber}`);
  return { live, c: tap.remainder, r: position.quotient, s: position.remainder, weight, top, left, start };
}

/** A walk over the pixels (n, p, q) of a batch in order, all i32 variables. */
export interface PixelWalk {
  readonly n: string;
  readonly p: string;
  readonly q: string;
  readonly strideY: string;
  readonly strideX: string;
  /** Prints the step to the next pixel. */
  step(): void;
}

/** Starts a walk at pixel number `first` (a u32 name). */
function emitWalk(
  shader: ShaderBuilder,
  { attrs, sizes, images }: WeightGradPart,
  frame: WeightGradFrame,
  first: string,
): PixelWalk {
  const bound = (images[1] - images[0] + 1) * sizes.P * sizes.Q + 4;
  const column = divide(shader, first, "walkColumns", sizes.Q, bound);
  const line = shader.let("line", column.quotient);
  const row = divide(shader, line, "walkRows", sizes.P, bound);
  const n = shader.var("n", `i32(${row.quotient})`);
  const p = shader.var("p", `i32(${row.remainder})`);
  const q = shader.var("q", `i32(${column.remainder})`);
  return {
    n,
    p,
    q,
    strideY: shader.param("stride0", "i32", attrs.stride[0]),
    strideX: shader.param("stride1", "i32", attrs.stride[1]),
    step() {
      // without branches: lanes stay together and no division is needed
      shader.line(`${q} += 1;`);
      const lineEnds = shader.let("lineEnds", `${q} == ${frame.placeColumns}`);
      shader.line(`${q} = select(${q}, 0, ${lineEnds});`);
      shader.line(`${p} += select(0, 1, ${lineEnds});`);
      const imageEnds = shader.let("imageEnds", `${p} == ${frame.placeRows}`);
      shader.line(`${p} = select(${p}, 0, ${imageEnds});`);
      shader.line(`${n} += select(0, 1, ${imageEnds});`);
    },
  };
}

/**
 * First and end pixel of split number `split`, as names. A tile whose columns `first` to `last` (u32 terms) all belong
 * to one tap that lies outside the image for every place has no pixels: on maps of one pixel that is most taps.
 */
function emitSplitRange(
  shader: ShaderBuilder,
  { sizes, attrs }: WeightGradPart,
  frame: WeightGradFrame,
  split: string,
  first: string,
  last: string,
): { readonly first: string; readonly end: string } {
  const shape = {
    taps: [sizes.R, sizes.S],
    grid: [sizes.P, sizes.Q],
    stride: attrs.stride,
    step: 1,
    origin: [-attrs.padding[0], -attrs.padding[1]],
    image: [sizes.H, sizes.W],
  } as const;
  const [rows, columns] = [usefulTaps(shape, 0), usefulTaps(shape, 1)];
  const channels = shader.param("channels", "u32", sizes.C);
  const tap = shader.let("tileTap", `${first} / ${channels}`);
  const tapRow = shader.let("tileRow", `${tap} / ${shader.param("tapColumns", "u32", sizes.S)}`);
  const tapColumn = shader.let("tileColumn", `${tap} - ${tapRow} * ${shader.param("tapColumns", "u32", sizes.S)}`);
  const within = (name: string, range: readonly [number, number], key: string) =>
    `${name} >= ${shader.param(`${key}First`, "u32", range[0])} && ${name} < ${shader.param(`${key}End`, "u32", range[1])}`;
  const useful = `${within(tapRow, rows, "usefulRow")} && ${within(tapColumn, columns, "usefulColumn")}`;
  const works = shader.let("works", `(${last}) / ${channels} != ${tap} || (${useful})`);
  const start = shader.let("firstPixel", `${split} * ${frame.perSplit}`);
  const end = shader.let("endPixel", `select(${start}, min(${start} + ${frame.perSplit}, ${frame.pixels}), ${works})`);
  return { first: start, end };
}

/** Prints the range of pixels of a tile, `first` to `end`, and starts a walk over them. */
export function emitPixels(
  shader: ShaderBuilder,
  part: WeightGradPart,
  frame: WeightGradFrame,
  { split, firstColumn }: WeightGradTile,
  tileColumns: number,
): { readonly first: string; readonly end: string; readonly walk: PixelWalk } {
  const lastColumn = `min(${firstColumn} + ${tileColumns - 1}u, ${frame.columnCount} - 1u)`;
  const range = emitSplitRange(shader, part, frame, split, firstColumn, lastColumn);
  const walk = emitWalk(shader, part, frame, range.first);
  // workgroups past the last split have no pixels
  const end = shader.let("end", `select(0u, ${range.end}, ${hasPixels(shader, part, split)})`);
  return { first: range.first, end, walk };
}

const hasPixels = (shader: ShaderBuilder, { splits }: WeightGradPart, split: string): string =>
  `${split} < ${shader.param("splits", "u32", splits)}`;

/** Sends `sums[i]`, a vec4 of row `firstRow + i` at four columns, to scratch or epilogue. */
export function emitWeightGradStores(
  shader: ShaderBuilder,
  part: WeightGradPart,
  frame: WeightGradFrame,
  { split, firstRow }: WeightGradTile,
  sums: readonly string[],
  columns: readonly WeightColumn[],
): void {
  const { O, C, R, S } = part.sizes;
  const shape = [O, C, R, S];
  const tile = { firstRow, rows: frame.rows, sums: [sums], width: 1, columns: columns.map(placeOfColumn) } as const;
  shader.block(`if (${hasPixels(shader, part, split)})`, () =>
    emitRows(shader, tile, (row, { c, r, s, weight }, sum) => {
      const o = shader.let("o", `${row} + ${shader.param("firstRow", "u32", part.rows[0])}`);
      const linear = shader.let("index", `${o} * ${frame.columnCount} + ${weight}`);
      if (part.scratch === undefined) {
        const place = knownPlace(shader, shape, [o, c, r, s], linear, "result");
        emitStores(shader, shader.kernel, { place, results: [sum] });
        return;
      }
      const count = elementCount(shape);
      const element = `${split} * ${shader.param("slice", "u32", count)} + ${linear}`;
      emitScratchStore(shader, part.splits * count, element, sum, part.scratch === "add");
    }),
  );
}

const placeOfColumn = ({ live, c, r, s, weight }: WeightColumn) => ({ live, c, r, s, weight });
