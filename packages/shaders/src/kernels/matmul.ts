/**
 * Matmul: which family and tile, and which parts where a factor or the result exceeds one binding. Parts along K add
 * up in scratch before the last of them runs the epilogue.
 */
import { contiguousStrides, elementCount, type Kernel } from "@guidance/tensor";
import { type Box, fitsWhole, splitSpace, type WindowedOperand } from "../windows.ts";
import { standsStill } from "./address.ts";
import type { BufferReference, DeviceTraits, Dispatch, KernelGenerator } from "./dispatch.ts";
import { isMirrored, layoutOf, lengthOf, type MatmulPass, operandRange, type Span, sizesOf } from "./matmul-pass.ts";
import { registerDispatch } from "./matmul-register.ts";
import { tiledDispatch } from "./matmul-tiled.ts";
import { normalizeKernel } from "./normalize.ts";
import { canBindScratch, generateUnfused, isPlain } from "./unfused.ts";

export type MatmulFamily = "subgroup" | "tiled" | "direct";

export const generateMatmul: KernelGenerator = (given, overwrites, traits) => {
  const { kernel } = normalizeKernel(given);
  const { sizes, attrs } = sizesOf(kernel);
  const { batch, M, N } = sizes;
  const family = familyOf(traits, sizes);
  if (batch * M * N === 0) return { dispatches: [], scratch: [], family };
  const operands = windowedOperands(kernel, traits);
  if (!operands) return generateUnfused(generateMatmul)(given, overwrites, traits);

  const boxes = cutProduct(kernel, operands, traits);
  if (boxes.some(({ depths }) => depths.length > 1) && !isPlain(kernel) && !canBindScratch(kernel, 2, traits)) {
    return generateUnfused(generateMatmul)(given, overwrites, traits);
  }
  const dispatches: Dispatch[] = [];
  let scratch = 0;
  for (const { outer, depths } of boxes) {
    depths.forEach((k, i) => {
      const [b, m, n] = outer;
      const spans = { batch: b, m, n, k };
      const windows = operands.map((operand) => ({ reference: operand.reference, ...operand.range(boxOf(spans)) }));
      const pass: MatmulPass = { kernel, sizes, attrs, ...spans, before: i > 0, after: i < depths.length - 1, windows };
      dispatches.push(emit(family, pass, overwrites, traits));
    });
    if (depths.length > 1)
      scratch = Math.max(scratch, 4 * outer.reduce((product, [start, end]) => product * (end - start), 1));
  }
  return { dispatches, scratch: scratch > 0 ? [scratch] : [], family };
};

// -- choosing -------------------------------------------------------------------------------------

function familyOf({ family, software, subgroupSize }: DeviceTraits, { M, N }: { M: number; N: number }): MatmulFamily {
  const shuffles = subgroupSize >= 4 && subgroupSize <= 64;
  if (family === "subgroup" && shuffles) return "subgroup";
  if (family === "direct" || family === "tiled") return family;
  if (software) return shuffles ? "subgroup" : "direct";
  // a tile in workgroup memory needs both sizes to share anything
  return M >= 16 && N >= 16 ? "tiled" : "direct";
}

/** Work of one tile row relative to the best tile, by rows of a tile (measured on lavapipe at 512). */
const ROW_COST = new Map([
  [32, 1],
  [16, 1.2],
  [8, 1.55],
]);
/** Products (M N K) up to which the 32-row tile's driver compile time, twice that of 16 rows, does not pay. */
const SMALL_PRODUCT = 2 ** 19;

/** Rows of a register tile: the least work, counting idle rows and at least two workgroups. */
function rowsOf(pass: MatmulPass, columns: number): number {
  const [M, N, K] = [pass.m, pass.n, pass.k].map(lengthOf);
  const mirrored = isMirrored(pass);
  const cost = (rows: number) => {
    let workgroups = 0;
    for (let row = 0; row < M; row += rows)
      workgroups += Math.ceil(N / columns) - (mirrored ? Math.floor(row / columns) : 0);
    return Math.ceil(workgroups / 2) * rows * ROW_COST.get(rows)!;
  };
  const candidates = M * N * K <= SMALL_PRODUCT ? [16, 8] : [32, 16, 8];
  return candidates.reduce((best, rows) => (cost(rows) < cost(best) ? rows : best));
}

/** Rows a single lane can hold without shuffles: more would spill. */
const DIRECT_ROWS = 8;

function emit(
  family: MatmulFamily,
  pass: MatmulPass,
  overwrites: readonly (number | undefined)[],
  traits: DeviceTraits,
): Dispatch {
  if (family === "tiled") return tiledDispatch(pass, overwrites, traits);
  if (family === "direct") {
    const teams = traits.software ? 8 : 64;
    return registerDispatch(pass, { team: 1, rows: DIRECT_ROWS, teams }, overwrites, traits);
  }
  const { subgroupSize } = traits;
  const teams = traits.software ? 1 : Math.max(1, 64 / subgroupSize);
  return registerDispatch(
    pass,
    { team: subgroupSize, rows: traits.tileRows ?? rowsOf(pass, 4 * subgroupSize), teams },
    overwrites,
    traits,
  );
}

// -- parts ----------------------------------------------------------------------------------------

interface MatmulOperand extends WindowedOperand {
  readonly reference: BufferReference;
}

const AXES = { batch: 0, m: 1, n: 2, k: 3 } as const;

const spanOf = ({ start, size }: Box, axis: number): Span => [start[axis], start[axis] + size[axis]];

function boxOf(spans: { batch: Span; m: Span; n: Span; k: Span }): Box {
  const all = [spans.batch, spans.m, spans.n, spans.k];
  return { start: all.map(([start]) => start), size: all.map(([start, end]) => end - start) };
}

/** Buffers larger than a binding, over [batch, M, N, K]; undefined if the epilogue reads one in an order of its own. */
function windowedOperands(kernel: Kernel, traits: DeviceTraits): MatmulOperand[] | undefined {
  const { sizes, attrs } = sizesOf(kernel);
  const { M, N } = sizes;
  const operands: MatmulOperand[] = [];
  const result = (box: Box) =>
    operandRange(M * N, N, spanOf(box, AXES.batch), spanOf(box, AXES.m), spanOf(box, AXES.n));
  for (const [index, { shape, dtype }] of kernel.inputs.entries()) {
    if (fitsWhole(elementCount(shape), dtype, traits)) continue;
    const label = `input [${shape.join(", ")}]`;
    if (index < 2) {
      const factor = index as 0 | 1;
      const range = (box: Box) => {
        const { pitch, matrix, outer, inner } = layoutOf(
          { sizes, attrs, m: spanOf(box, AXES.m), n: spanOf(box, AXES.n), k: spanOf(box, AXES.k) },
          factor,
        );
        return operandRange(matrix, pitch, spanOf(box, AXES.batch), outer, inner);
      };
      operands.push({ reference: { kind: "input", index }, label, dtype, range });
      continue;
    }
    if (!readsInOrder(kernel, index)) return undefined;
    operands.push({ reference: { kind: "input", index }, label, dtype, range: result });
  }
  kernel.outputs.forEach(({ type: { shape, dtype } }, index) => {
    if (fitsWhole(elementCount(shape), dtype, traits)) return;
    operands.push({
      reference: { kind: "output", index },
      label: `output [${shape.join(", ")}]`,
      dtype,
      range: result,
    });
  });
  return operands;
}

/** Whether every load of an input walks the output element by element, or stays at one element of a plain kernel. */
function readsInOrder(kernel: Kernel, input: number): boolean {
  if (isPlain(kernel)) return true;
  const strides = contiguousStrides(kernel.domain);
  return kernel.body.every((expression) => {
    if (expression.kind !== "load" || expression.input !== input) return true;
    const { view } = expression;
    return (
      view.offset === 0 &&
      !standsStill(view, kernel.domain) &&
      view.strides.every((stride, axis) => stride === strides[axis])
    );
  });
}

/** Elements of B above which a software device walks it in chunks of K: a tall stripe of 32 columns misses every cache. */
const LARGE_FACTOR = 2 ** 23;
const CHUNK_OF_K = 1024;

interface ProductPart {
  /** Spans of batch, M and N. */
  readonly outer: readonly [Span, Span, Span];
  /** Spans of K, in order. */
  readonly depths: readonly Span[];
}

function cutProduct(kernel: Kernel, operands: readonly MatmulOperand[], traits: DeviceTraits): ProductPart[] {
  const { sizes, attrs } = sizesOf(kernel);
  const { batch, M, N, K } = sizes;
  const space = [batch, M, N, Math.max(K, 1)];
  // scratch holds the sums of one part; only cuts along K need it, but all respect it
  const partial: WindowedOperand = {
    label: "partial results",
    dtype: "f32",
    range: ({ size }) => ({ start: 0, end: size[0] * size[1] * size[2] }),
  };
  const boxes =
    operands.length === 0
      ? [boxOf({ batch: [0, batch], m: [0, M], n: [0, N], k: [0, K] })]
      : splitSpace(space, [...operands, partial], traits, { granularity: [1, 4, 4, 4], label: kernel.label });
  const cuts = (axis: number, longest: number) => {
    const starts = new Set(boxes.map(({ start }) => start[axis]));
    const bounds = [...starts].sort((a, b) => a - b);
    return bounds.flatMap((start, i) => pieces([start, bounds[i + 1] ?? [batch, M, N, K][axis]], longest));
  };
  const tall = traits.software && !attrs.transposeB && K * N > LARGE_FACTOR;
  const depths = cuts(AXES.k, tall ? CHUNK_OF_K : Infinity);
  const most = traits.maxWorkgroupsPerDimension;
  // no tile is smaller than 8 rows or 16 columns
  return cuts(AXES.batch, most).flatMap((b) =>
    cuts(AXES.m, most * 8).flatMap((m) =>
      cuts(AXES.n, most * 16).map((n): ProductPart => ({ outer: [b, m, n], depths })),
    ),
  );
}

/** A span in pieces of at most `longest`. */
function pieces([start, end]: Span, longest: number): Span[] {
  const spans: Span[] = [];
  for (let from = start; from < end || spans.length === 0; from += longest)
    spans.push([from, Math.min(end, from + longest)]);
  return spans;
}
