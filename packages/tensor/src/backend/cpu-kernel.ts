/**
 * Interprets one fused kernel: the core by its reference (or blocked) loops, the body expression by
 * expression over chunks that stay in cache. Each value is rounded to its dtype when stored, as a device
 * would.
 */
import {
  type Expression,
  type Kernel,
  type ReductionName,
  reducedSizes,
  type Stage,
  type View,
} from "../compile/kernel.ts";
import { allocateArray, type Precision, type TypedArray } from "../dtype.ts";
import type { OpDefinition } from "../ops/define.ts";
import { coreOps } from "../ops/index.ts";
import { reductionInitial, reductionRules } from "../ops/reduce.ts";
import { elementCount } from "../shape.ts";
import { type BlockedCore, blockedCores } from "./cpu-blocked.ts";
import { applyLoop, copyRun, countRun, scatterRun, sumRun } from "./cpu-loops.ts";

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
  const results = coreResults(kernel, inputs, outputs, context);
  eachChunk(kernel.body, kernel.domain, { inputs, results, depth: 1 }, context, (values, start, count) => {
    kernel.outputs.forEach(({ expression, wide }, i) => {
      if (!wide) outputs[i].set(values[expression].subarray(0, count), start);
    });
  });
}

/** Dense results of the kernel's core over its domain. A core of stages also stores its wide outputs. */
function coreResults(
  kernel: Kernel,
  inputs: readonly TypedArray[],
  outputs: readonly TypedArray[],
  context: CpuContext,
): TypedArray[] {
  const { core } = kernel;
  if (!core) return [];
  if (core.op === "reduce") return runStage(kernel, core, { inputs, results: [] }, context);
  if (core.op === "stages") {
    const results: TypedArray[] = [];
    core.stages.forEach((stage, number) => {
      const store = (values: readonly TypedArray[], start: number, count: number) => {
        kernel.outputs.forEach(({ expression, wide }, i) => {
          if (wide?.stage !== number) return;
          eachRun(wide.view, [...kernel.domain, ...core.reduced], start, count, (from, at, step, run) =>
            scatterRun(values[expression], from, outputs[i], at, step, run),
          );
        });
      };
      results.push(...runStage(kernel, stage, { inputs, results }, context, store));
    });
    return results;
  }
  const result = allocateArray(core.result.dtype, context.precision, elementCount(core.result.shape));
  const blocked = blockedCores[core.op] as BlockedCore<unknown> | undefined;
  const operands = inputs.slice(0, core.operands.length);
  if (blocked) blocked(operands, core.operands, core.attrs, result);
  else (coreOps[core.op] as OpDefinition).reference(operands, core.operands, core.attrs, result);
  return [result];
}

/** One pass over the reduced space: its reductions, dense over the kernel's domain. `visit` sees every value. */
function runStage(
  kernel: Kernel,
  { body, reductions }: Stage,
  from: Pick<Sources, "inputs" | "results">,
  context: CpuContext,
  visit?: (values: readonly TypedArray[], start: number, count: number) => void,
): TypedArray[] {
  const reduced = reducedSizes(kernel);
  const count = elementCount(kernel.domain);
  const depth = elementCount(reduced);
  const dtypes = reductions.map(({ expression }) => body[expression].dtype);
  // sums are kept in float64 and rounded once
  const sums = reductions.map(({ op }, r) => new Float64Array(count).fill(reductionInitial(op, dtypes[r])));
  eachChunk(body, [...kernel.domain, ...reduced], { ...from, depth }, context, (values, start, length) => {
    reductions.forEach(({ op, expression }, r) => {
      const terms = values[expression];
      const into = sums[r];
      for (let i = 0; i < length; ) {
        const o = Math.floor((start + i) / depth);
        const end = Math.min(length, (o + 1) * depth - start);
        into[o] = combineRun(op, into[o], terms, i, end);
        i = end;
      }
    });
    visit?.(values, start, length);
  });
  return sums.map((sum, r) => {
    const rounded = allocateArray(dtypes[r], context.precision, count);
    rounded.set(sum);
    return rounded;
  });
}

/** `value` combined with elements [from, to) in order. */
function combineRun(op: ReductionName, value: number, values: TypedArray, from: number, to: number): number {
  if (op === "sum") return sumRun(value, values, from, to);
  const { combine } = reductionRules[op];
  for (let i = from; i < to; i++) value = combine(value, values[i]);
  return value;
}

/** What expressions read. */
interface Sources {
  readonly inputs: readonly TypedArray[];
  /** Results of the core, one for every `depth` indices of the domain. */
  readonly results: readonly TypedArray[];
  readonly depth: number;
}

/** Evaluates `body` at every index of `domain`, a chunk at a time. */
function eachChunk(
  body: readonly Expression[],
  domain: readonly number[],
  { inputs, results, depth }: Sources,
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
      if (expression.kind === "load") {
        const source = inputs[expression.input];
        eachRun(expression.view, domain, start, count, (to, at, step, run) => copyRun(source, at, step, out, to, run));
      } else if (expression.kind === "index")
        eachRun(expression.view, domain, start, count, (to, at, step, run) => countRun(at, step, out, to, run));
      else if (expression.kind === "core") spreadRuns(results[expression.result], depth, start, out, count);
      else if (expression.kind === "apply") {
        const args = expression.arguments.map((index) => values[index]);
        applyLoop(expression.op, args, out, count);
      }
    });
    use(values, start, count);
  }
}

/** Elements [start, start + count) of `rows` with each element repeated `depth` times. */
function spreadRuns(rows: TypedArray, depth: number, start: number, out: TypedArray, count: number): void {
  if (depth === 1) {
    out.set(rows.subarray(start, start + count));
    return;
  }
  for (let i = 0; i < count; ) {
    const row = Math.floor((start + i) / depth);
    const end = Math.min(count, (row + 1) * depth - start);
    out.fill(rows[row], i, end);
    i = end;
  }
}

/**
 * Visits `count` domain indices from linear index `start`, a run along the last dimension at a time: the run's first
 * position in the chunk, the element its view points to, the step between elements, and its length.
 */
function eachRun(
  { offset, strides }: View,
  domain: readonly number[],
  start: number,
  count: number,
  visit: (to: number, at: number, step: number, run: number) => void,
): void {
  const rank = domain.length;
  if (rank === 0) {
    visit(0, offset, 0, 1);
    return;
  }
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
    const run = Math.min(count - j, domain[inner] - index[inner]);
    visit(j, at, strides[inner], run);
    j += run;
    at += run * strides[inner];
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
