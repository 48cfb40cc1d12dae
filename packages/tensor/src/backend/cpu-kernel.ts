/**
 * Interprets one fused kernel: the core by its reference (or blocked) loops, the body expression by
 * expression over chunks that stay in cache. Each value is rounded to its dtype when stored, as a device
 * would.
 */
import type { Expression, Kernel, View } from "../compile/kernel.ts";
import { allocateArray, type Precision, type TypedArray } from "../dtype.ts";
import type { OpDefinition } from "../ops/define.ts";
import { coreOps, elementwiseRows } from "../ops/index.ts";
import { reductionInitial, reductionRules } from "../ops/reduce.ts";
import { elementCount } from "../shape.ts";
import { type BlockedCore, blockedCores } from "./cpu-blocked.ts";

export interface CpuContext {
  readonly precision: Precision;
  readonly scalars: (slot: number) => number;
}

/** Elements per chunk: a handful of float64 arrays of this size fit the first-level cache. */
const CHUNK = 1024;

export function runKernel(
  kernel: Kernel,
  inputs: readonly TypedArray[],
  outputs: readonly TypedArray[],
  context: CpuContext,
): void {
  const results = coreResults(kernel, inputs, context);
  eachChunk(kernel.body, kernel.domain, inputs, results, context, (values, start, count) => {
    kernel.outputs.forEach(({ expression }, i) => {
      outputs[i].set(values[expression].subarray(0, count), start);
    });
  });
}

/** Dense results of the kernel's core over its domain. */
function coreResults(kernel: Kernel, inputs: readonly TypedArray[], context: CpuContext): TypedArray[] {
  const { core, domain } = kernel;
  if (!core) return [];
  if (core.op === "reduce") return reduceResults(core, domain, inputs, context);
  const result = allocateArray(core.result.dtype, context.precision, elementCount(core.result.shape));
  const blocked = blockedCores[core.op] as BlockedCore<unknown> | undefined;
  const operands = inputs.slice(0, core.operands.length);
  if (blocked) blocked(operands, core.operands, core.attrs, result);
  else (coreOps[core.op] as OpDefinition).reference(operands, core.operands, core.attrs, result);
  return [result];
}

function reduceResults(
  core: Extract<Kernel["core"], { op: "reduce" }>,
  domain: readonly number[],
  inputs: readonly TypedArray[],
  context: CpuContext,
): TypedArray[] {
  const count = elementCount(domain);
  const depth = elementCount(core.reduced);
  const dtypes = core.reductions.map(({ expression }) => core.body[expression].dtype);
  // sums are kept in float64 and rounded once
  const sums = core.reductions.map(({ op }, r) => new Float64Array(count).fill(reductionInitial(op, dtypes[r])));
  eachChunk(core.body, [...domain, ...core.reduced], inputs, [], context, (values, start, length) => {
    core.reductions.forEach(({ op, expression }, r) => {
      const { combine } = reductionRules[op];
      const from = values[expression];
      const into = sums[r];
      for (let i = 0; i < length; i++) {
        const o = Math.floor((start + i) / depth);
        into[o] = combine(into[o], from[i]);
      }
    });
  });
  return sums.map((sum, r) => {
    const rounded = allocateArray(dtypes[r], context.precision, count);
    rounded.set(sum);
    return rounded;
  });
}

/** Evaluates `body` at every index of `domain`, a chunk at a time. */
function eachChunk(
  body: readonly Expression[],
  domain: readonly number[],
  inputs: readonly TypedArray[],
  results: readonly TypedArray[],
  { precision, scalars }: CpuContext,
  use: (values: readonly TypedArray[], start: number, count: number) => void,
): void {
  const total = elementCount(domain);
  if (total === 0) return;
  const values = body.map(({ dtype }) => allocateArray(dtype, precision, Math.min(CHUNK, total)));
  body.forEach((expression, i) => {
    if (expression.kind === "constant")
      values[i].fill(precision === "float64" ? (expression.float64 ?? expression.value) : expression.value);
    if (expression.kind === "scalar") values[i].fill(scalars(expression.slot));
  });
  for (let start = 0; start < total; start += CHUNK) {
    const count = Math.min(CHUNK, total - start);
    body.forEach((expression, i) => {
      const out = values[i];
      if (expression.kind === "load")
        walk(expression.view, domain, start, count, (j, at) => (out[j] = inputs[expression.input][at]));
      else if (expression.kind === "index") walk(expression.view, domain, start, count, (j, at) => (out[j] = at));
      else if (expression.kind === "core") out.set(results[expression.result].subarray(start, start + count));
      else if (expression.kind === "apply") apply(expression, values, out, count);
    });
    use(values, start, count);
  }
}

function apply(
  { op, arguments: args }: Extract<Expression, { kind: "apply" }>,
  values: readonly TypedArray[],
  out: TypedArray,
  count: number,
): void {
  const { evaluate } = elementwiseRows[op];
  const [a, b = a, c = a, d = a] = args.map((index) => values[index]);
  for (let i = 0; i < count; i++) out[i] = evaluate(a[i], b[i], c[i], d[i]);
}

/** Visits `count` domain indices from linear index `start`, with the element each one's view points to. */
function walk(
  { offset, strides }: View,
  domain: readonly number[],
  start: number,
  count: number,
  visit: (j: number, at: number) => void,
): void {
  const rank = domain.length;
  const index = new Array<number>(rank).fill(0);
  let at = offset;
  let rest = start;
  for (let d = rank - 1; d >= 0; d--) {
    index[d] = rest % domain[d];
    rest = Math.floor(rest / domain[d]);
    at += index[d] * strides[d];
  }
  const inner = rank - 1;
  for (let j = 0; j < count; ) {
    const run = rank === 0 ? 1 : Math.min(count - j, domain[inner] - index[inner]);
    const step = rank === 0 ? 0 : strides[inner];
    for (let k = 0; k < run; k++) visit(j + k, at + k * step);
    j += run;
    if (rank === 0) continue;
    at += run * step;
    index[inner] += run;
    for (let d = inner; d >= 0 && index[d] === domain[d]; d--) {
      at -= domain[d] * strides[d];
      index[d] = 0;
      if (d === 0) break;
      index[d - 1]++;
      at += strides[d - 1];
    }
  }
}
