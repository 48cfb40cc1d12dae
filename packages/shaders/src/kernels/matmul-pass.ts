/**
 * What every matmul shader shares: which part of the product one dispatch computes, how the operands are addressed,
 * and how finished tiles leave through the fused epilogue. Letters: M rows, N columns, K inner size.
 */
import { type CoreAttrs, type Kernel, type MatmulSizes, matmulSizes } from "@guidance/tensor";
import type { ElementRange } from "../windows.ts";
import { emitStores, epilogueSpace, planLoads, readsOperands, storeWidth } from "./body.ts";
import type { ShaderBuilder } from "./builder.ts";
import type { BufferReference } from "./dispatch.ts";
import { knownPlace } from "./place.ts";
import type { StorageBinding } from "./storage.ts";
import type { Width } from "./wgsl.ts";

/** Indices [start, end) along one dimension. */
export type Span = readonly [number, number];

/** The part of a product that one dispatch computes. */
export interface MatmulPass {
  readonly kernel: Kernel;
  readonly sizes: MatmulSizes;
  readonly attrs: CoreAttrs["matmul"];
  readonly batch: Span;
  readonly m: Span;
  readonly n: Span;
  readonly k: Span;
  /** Whether scratch 0 holds the sums over smaller k, and whether it takes these too (else the epilogue does). */
  readonly before: boolean;
  readonly after: boolean;
  readonly windows: readonly ({ readonly reference: BufferReference } & ElementRange)[];
}

/** Whether half of the tiles of a pass give the other half: a symmetric product, computed whole. */
export function isMirrored({ attrs, sizes, m, n, before, after }: MatmulPass): boolean {
  const whole = lengthOf(m) === sizes.M && lengthOf(n) === sizes.N;
  return attrs.symmetric === true && whole && !before && !after;
}

export const lengthOf = ([start, end]: Span): number => end - start;

/** The sizes of a matmul kernel. */
export function sizesOf({ core, label }: Kernel): { sizes: MatmulSizes; attrs: CoreAttrs["matmul"] } {
  if (core?.op !== "matmul") throw new Error(`${label} is no matmul`);
  return { sizes: matmulSizes(core.operands, core.attrs), attrs: core.attrs };
}

/** One factor in memory: element(batch, outer, inner) = start + batch * stride + outer * pitch + inner. */
export interface Operand {
  readonly binding: StorageBinding;
  /** Whether the inner (contiguous) dimension is k. */
  readonly alongK: boolean;
  /** 4: loads of four neighbours are vec4 loads. */
  readonly width: Width;
  /** Element of the part's first batch, row and column in this batch: a name. */
  readonly start: string;
  readonly pitch: string;
}

/** Elements [start, end) of a factor that a part touches. `contiguous` is the span along the inner dimension. */
export function operandRange(matrix: number, pitch: number, batch: Span, outer: Span, inner: Span): ElementRange {
  return {
    start: batch[0] * matrix + outer[0] * pitch + inner[0],
    end: (batch[1] - 1) * matrix + (outer[1] - 1) * pitch + inner[1],
  };
}

/** Layout of factor 0 (A) or 1 (B) and the spans of its two dimensions. */
export function layoutOf(
  { sizes, attrs, m, n, k }: Pick<MatmulPass, "sizes" | "attrs" | "m" | "n" | "k">,
  factor: 0 | 1,
) {
  const { M, N, K } = sizes;
  const alongK = factor === 0 ? !attrs.transposeA : attrs.transposeB;
  const pitch = alongK ? K : factor === 0 ? M : N;
  const free = factor === 0 ? m : n;
  return { alongK, pitch, matrix: K * (factor === 0 ? M : N), outer: alongK ? free : k, inner: alongK ? k : free };
}

/** Binds a factor; `batch` is the WGSL number of the matrix, counted from the part's first. */
export function bindOperand(shader: ShaderBuilder, pass: MatmulPass, factor: 0 | 1, batch: string): Operand {
  const name = factor === 0 ? "a" : "b";
  const { alongK, pitch, matrix, outer, inner } = layoutOf(pass, factor);
  const vector =
    !readsOperands(pass.kernel) && pitch % 4 === 0 && inner[0] % 4 === 0 && (!alongK || lengthOf(inner) % 4 === 0);
  const width = vector ? 4 : 1;
  const binding = shader.input(factor, width);
  const first = operandRange(matrix, pitch, pass.batch, outer, inner).start - binding.origin;
  const windowed = shader.isWindowed({ kind: "input", index: factor });
  const parts: string[] = [];
  if (pass.sizes.batch > 1) parts.push(`${batch} * ${shader.param(`${name}Matrix`, "u32", matrix)}`);
  if (windowed || first !== 0) parts.push(shader.param(`${name}Start`, "u32", first));
  const start = shader.let(`${name}Start`, parts.join(" + ") || "0u");
  return { binding, alongK, width, start, pitch: shader.param(`${name}Pitch`, "u32", pitch) };
}

/** Four neighbours from `element` on, as a vec4: one load, or four. */
export function loadFour({ binding, width }: Operand, element: string): string {
  return width === 4 ? binding.load(element) : binding.gather(element, "1u");
}

/** A block of finished sums: each `rows[i]` holds the sums of four neighbouring columns in row `first + i`. */
export interface FinishedTile {
  /** Number of the matrix, the first row and the first column, all counted from the part's first. */
  readonly batch: string;
  readonly row: string;
  readonly column: string;
  readonly rows: readonly string[];
  /** Of a mirrored pass: rows and columns of the tiles that `emitSkip` leaves out; their elements are stored from their mirror's. */
  readonly mirror?: readonly [rows: number, columns: number];
}

/** Ends workgroups, or teams that wait for no other, whose tile from `row` and `column` on lies below the diagonal. */
export function emitSkip(shader: ShaderBuilder, row: string, column: string, columns: number): void {
  shader.line(`if (${column} + ${columns}u <= ${row}) { return; }`);
}

/** Width at which finished tiles are stored. */
export function tileWidth(pass: MatmulPass): Width {
  const { kernel, sizes, n } = pass;
  // mirrored elements of one lane lie below each other
  if (isMirrored(pass) || readsOperands(kernel)) return 1;
  return n[0] % 4 === 0 && lengthOf(n) % 4 === 0 ? storeWidth(kernel, sizes.N) : 1;
}

/** Binds what the epilogue needs; before the first load. */
export function planEpilogue(shader: ShaderBuilder, pass: MatmulPass): void {
  if (!pass.after) planLoads(shader, [epilogueSpace(pass.kernel, tileWidth(pass))]);
}

/**
 * Sends a tile to the epilogue, or to scratch. Rows go through an array and a loop, so that the epilogue is printed
 * once and not once per row: its text decides how long a driver compiles.
 */
export function emitTile(
  shader: ShaderBuilder,
  pass: MatmulPass,
  { batch, row, column, rows, mirror }: FinishedTile,
): void {
  const width = tileWidth(pass);
  const mCount = shader.param("mCount", "u32", lengthOf(pass.m));
  const nCount = shader.param("nCount", "u32", lengthOf(pass.n));
  const tile = shader.name("tile");
  const i = shader.name("i");
  shader.line(`var ${tile} = array<vec4<f32>, ${rows.length}>(${rows.join(", ")});`);
  shader.block(`if (${column} < ${nCount})`, () => {
    shader.block(`for (var ${i} = 0u; ${i} < ${rows.length}u && ${row} + ${i} < ${mCount}; ${i}++)`, () => {
      const m = shader.let("m", `${row} + ${i}`);
      if (width === 4) return emitOne(shader, pass, { batch, m, n: column, sum: `${tile}[${i}]`, width });
      const sums = shader.let("sums", `${tile}[${i}]`);
      ["x", "y", "z", "w"].forEach((lane, j) => {
        const n = j === 0 ? column : shader.let("n", `${column} + ${j}u`);
        const sum = `${sums}.${lane}`;
        shader.block(`if (${n} < ${nCount})`, () => emitOne(shader, pass, { batch, m, n, sum, width }));
        if (!mirror) return;
        const [height, across] = mirror;
        const leftOut = `(${m} / ${across}u + 1u) * ${across}u <= ${n} / ${height}u * ${height}u`;
        shader.block(`if (${n} < ${nCount} && ${leftOut})`, () =>
          emitOne(shader, pass, { batch, m: n, n: m, sum, width }),
        );
      });
    });
  });
}

/** One sum, or four side by side, at row `m` and column `n` of the part. */
function emitOne(
  shader: ShaderBuilder,
  pass: MatmulPass,
  { batch, m, n, sum, width }: { batch: string; m: string; n: string; sum: string; width: Width },
): void {
  const { kernel, sizes, before, after } = pass;
  let total = sum;
  if (before || after) {
    const count = lengthOf(pass.batch) * lengthOf(pass.m) * lengthOf(pass.n);
    const [mCount, nCount] = [
      shader.param("mCount", "u32", lengthOf(pass.m)),
      shader.param("nCount", "u32", lengthOf(pass.n)),
    ];
    const scratch = shader.scratch(0, "f32", count, "read_write", width);
    const at = shader.let("at", `(${batch} * ${mCount} + ${m}) * ${nCount} + ${n}`);
    if (before) total = `${scratch.load(at)} + ${sum}`;
    if (after) {
      shader.line(scratch.store(at, total));
      return;
    }
  }
  const global = (name: string, local: string, [start]: Span, size: number, [from, to]: Span) =>
    from === 0 && to === size ? local : shader.let(name, `${local} + ${shader.param(`${name}First`, "u32", start)}`);
  const coordinates = [
    global("batch", batch, pass.batch, sizes.batch, pass.batch),
    global("row", m, pass.m, sizes.M, pass.m),
    global("column", n, pass.n, sizes.N, pass.n),
  ];
  const place = knownPlace(shader, [sizes.batch, sizes.M, sizes.N], coordinates, undefined, "result");
  const results = [shader.let("result", total)];
  emitStores(shader, kernel, { place, width, results });
}
