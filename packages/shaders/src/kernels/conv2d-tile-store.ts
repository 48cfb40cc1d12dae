/**
 * How the finished sums of a tile leave: the loop over its rows and columns, where each lies in the result, and the fused
 * epilogue, or scratch where a later stage runs that.
 */
import { elementCount, type Kernel } from "@guidance/tensor";
import { emitStores, epilogueSpace, planLoads, readsOperands, storeWidth } from "./body.ts";
import type { ShaderBuilder } from "./builder.ts";
import type { Correlation } from "./conv2d-correlation.ts";
import type { CorrelationPart, GridPlace } from "./conv2d-tile.ts";
import { knownPlace } from "./place.ts";
import type { Width } from "./wgsl.ts";

/** Sums of four places, in as many rows as a tile has. */
export interface TileRun {
  readonly places: readonly GridPlace[];
  /** One vec4 a row. */
  readonly sums: readonly string[];
}

/**
 * 4 where the four places of a run along a grid line are one vec4 of every output, and the epilogue can work on them as
 * such: runs begin at multiples of four.
 */
export function runWidth(kernel: Kernel, { grid, spread, plane }: Correlation): Width {
  return spread[1] === 1 && grid[1] === plane[1] && !readsOperands(kernel) ? storeWidth(kernel, plane[1]) : 1;
}

/** Sends the sums of one tile, whose first row is `firstRow`, to the epilogue: place by place, or a run at a time. */
export function emitTileStores(
  shader: ShaderBuilder,
  part: CorrelationPart,
  firstRow: string,
  runs: readonly TileRun[],
  byRun = false,
): void {
  const { kernel } = shader;
  const { correlation } = part;
  const width = byRun && part.scratch === undefined ? runWidth(kernel, correlation) : 1;
  if (part.scratch === undefined) planLoads(shader, [epilogueSpace(kernel, width)]);
  const { phases, spread } = correlation;
  const sizes = [correlation.images, phases?.channels ?? correlation.rows, ...correlation.plane];
  const rows = shader.param("rows", "u32", part.rows[1] - part.rows[0]);
  const first = shader.param("firstRow", "u32", part.rows[0]);
  const pitch = shader.param("resultPlane", "u32", sizes[2] * sizes[3]);
  const places = runs.flatMap(({ places }) => (width === 4 ? places.slice(0, 1) : places));
  const results = places.map((place) => ({ live: place.live, ...emitResultPlace(shader, part, place) }));
  const storeAt = ({ n, h, w, start }: Record<"n" | "h" | "w" | "start", string>, m: string, sum: string) => {
    const linear = shader.let("index", `${start} + ${m} * ${pitch}`);
    const place = knownPlace(shader, sizes, [n, m, h, w], linear, "result");
    if (part.scratch === undefined) emitStores(shader, kernel, { place, width, results: [sum] });
    else emitScratchStore(shader, elementCount(sizes), linear, sum, part.scratch === "add");
  };
  emitRows(
    shader,
    { firstRow, rows, sums: runs.map(({ sums }) => sums), width, columns: results },
    (row, column, sum) => {
      const m = shader.let("m", `${row} + ${first}`);
      if (!phases) return storeAt(column, m, sum);
      const phase = shader.let("phase", `${m} % ${phases.count}u`);
      const [a, b] = [shader.let("a", `${phase} / ${spread[1]}u`), shader.let("b", `${phase} % ${spread[1]}u`)];
      const [h, w] = [shader.let("h", `${column.h} + ${a}`), shader.let("w", `${column.w} + ${b}`)];
      const [height, width] = [0, 1].map((axis) => shader.param(`plane${axis}`, "u32", correlation.plane[axis]));
      const start = `(${column.start} + ${a} * ${width} + ${b})`;
      shader.block(`if (${h} < ${height} && ${w} < ${width})`, () =>
        storeAt({ n: column.n, h, w, start }, shader.let("m", `${m} / ${phases.count}u`), sum),
      );
    },
  );
}

/** Where a place lies in the result: its coordinates and its element in row 0, as u32 names. */
function emitResultPlace(shader: ShaderBuilder, { correlation, images }: CorrelationPart, place: GridPlace) {
  const { rows, spread, shift, plane, phases } = correlation;
  const spreadOf = (axis: number, coordinate: string) =>
    spread[axis] === 1
      ? coordinate
      : `${coordinate} * ${shader.param(`spread${axis}`, "i32", spread[axis])} + ${shader.param(`shift${axis}`, "i32", shift[axis])}`;
  const n = shader.let("n", `u32(${place.image}) + ${shader.param("firstImage", "u32", images[0])}`);
  const h = shader.let("h", `u32(${spreadOf(0, place.y)})`);
  const w = shader.let("w", `u32(${spreadOf(1, place.x)})`);
  const image = shader.param("resultImage", "u32", (phases?.channels ?? rows) * plane[0] * plane[1]);
  const start = shader.let("start", `${n} * ${image} + ${h} * ${shader.param("resultWidth", "u32", plane[1])} + ${w}`);
  return { n, h, w, start };
}

/** A column of a tile: whether it exists (a bool name), and u32 names that tell where it lies. */
export type TileColumn<Field extends string> = Readonly<Record<Field | "live", string>>;

export interface TileRows<Field extends string> {
  readonly firstRow: string;
  /** Rows that exist; the tile may overhang. */
  readonly rows: string;
  /** Per run, one vec4 of four columns a row. */
  readonly sums: readonly (readonly string[])[];
  /** 1: each column of each run in turn. 4: all four of a run at once. */
  readonly width: Width;
  readonly columns: readonly TileColumn<Field>[];
}

/**
 * Calls `store` once, where the text of an existing sum's epilogue goes, within loops over columns and rows. Sums and
 * columns go through arrays, so that the epilogue is printed once: its text decides how long a driver compiles.
 */
export function emitRows<Field extends string>(
  shader: ShaderBuilder,
  { firstRow, rows, sums, width, columns }: TileRows<Field>,
  store: (row: string, column: TileColumn<Field>, sum: string) => void,
): void {
  const height = sums[0].length;
  const array = (name: string, type: string, values: readonly string[]) => {
    const declared = shader.name(name);
    shader.line(`var ${declared} = array<${type}, ${values.length}>(${values.join(", ")});`);
    return declared;
  };
  const tile = array("tile", "vec4<f32>", sums.flat());
  const fields = Object.keys(columns[0]) as (Field | "live")[];
  const arrays = new Map(
    fields.map((field) => {
      const values = columns.map((column) => column[field]);
      // a term that all share needs no array
      if (values.every((value) => value === values[0])) return [field, values[0]];
      return [field, `${array(field, field === "live" ? "bool" : "u32", values)}[column]`];
    }),
  );
  const count = shader.let("count", `min(${height}u, ${rows} - min(${rows}, ${firstRow}))`);
  shader.block(`for (var column = 0u; column < ${columns.length}u; column++)`, () => {
    const own = Object.fromEntries(fields.map((field) => [field, shader.let(field, arrays.get(field) ?? "")]));
    shader.block(`for (var i = 0u; ${own.live} && i < ${count}; i++)`, () => {
      const run = width === 4 ? "column" : "column / 4u";
      const values = `${tile}[${sums.length === 1 ? "" : `${run} * ${height}u + `}i]`;
      const sum = shader.let("sum", width === 4 ? values : `${values}[column % 4u]`);
      store(`(${firstRow} + i)`, own as TileColumn<Field>, sum);
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
