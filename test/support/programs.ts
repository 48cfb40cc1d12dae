// Random traced functions: expression graphs with shared subexpressions, movements, reductions, products, host scalars,
// and Variables that are read, assigned and read again. A program runs on a backend and, from the tensors it made, by
// the reference; both for several runs, since a Variable carries values from one to the next.

import {
  type Backend,
  broadcastShapes,
  type CompileOptions,
  compile,
  constant,
  f32,
  grad,
  hostScalar,
  iota,
  type Operand,
  type Plan,
  sameShape,
  type Tensor,
  type TypedArray,
  Variable,
  where,
} from "@guidance/tensor";
import fc from "fast-check";
import { regroup } from "./generators.ts";
import { referenceValues } from "./reference.ts";

/** One instruction: an operation and which earlier values it takes, all modulo what there is. */
interface Instruction {
  readonly operation: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

export interface Program {
  readonly rows: number;
  readonly columns: number;
  readonly instructions: readonly Instruction[];
  /** Which values are returned. */
  readonly outputs: readonly number[];
}

const index = fc.nat(1000);
export const programs: fc.Arbitrary<Program> = fc.record({
  rows: fc.integer({ min: 1, max: 4 }),
  columns: fc.integer({ min: 1, max: 4 }),
  instructions: fc.array(fc.record({ operation: index, a: index, b: index, c: index }), {
    minLength: 4,
    maxLength: 40,
    size: "max",
  }),
  outputs: fc.array(index, { minLength: 1, maxLength: 4 }),
});

/** More elements than this are summed before they go on. */
const MOST_ELEMENTS = 150;

type Operation = (a: Tensor, b: Tensor, c: number, variables: readonly Variable[]) => Operand | undefined;

/** Where shapes do not fit, the second operand is summed to a scalar first. */
const fitting = (a: Operand, b: Tensor): Tensor => (broadcastShapes(a.shape, b.shape) ? b : b.sum());
const axisOf = ({ rank }: Tensor, c: number): number[] | undefined => (rank === 0 ? undefined : [c % rank]);
/** Rows of about the square root of the elements. */
function asMatrix(x: Tensor, c: number): Tensor {
  const divisors = Array.from({ length: x.size }, (_, i) => i + 1).filter((size) => x.size % size === 0);
  const rows = divisors[c % divisors.length];
  return x.reshape([rows, x.size / rows]);
}

/** 2/3 where a value is positive, -1/3 elsewhere. */
const thirds = (a: Tensor): Tensor =>
  a
    .greater(0)
    .cast("f32")
    .sub(1 / 3);

const operations: readonly Operation[] = [
  (a) => a.tanh(),
  (a) => a.sin(),
  (a) => a.relu(),
  (a) => a.neg(),
  (a) => a.abs().add(1).log(),
  (a) => a.sigmoid(),
  (a, _b, c) => a.mul(c % 3),
  (a, _b, c) => a.add((c % 3) - 1),
  (a, b) => a.add(fitting(a, b)),
  (a, b) => a.sub(fitting(a, b)),
  (a, b) => a.mul(fitting(a, b).tanh()),
  (a, b) => a.maximum(fitting(a, b)),
  (a, b) => a.div(fitting(a, b).abs().add(1)),
  (a, b) => where(a.less(fitting(a, b)), a, fitting(a, b)),
  (a, _b, c) => a.sum(axisOf(a, c)),
  (a, _b, c) => a.max(axisOf(a, c)),
  (a, _b, c) => a.min(axisOf(a, c)),
  (a, _b, c) => a.sub(a.mean(axisOf(a, c)).sum()),
  (a, _b, c) => a.reshape(regroup(a.shape, c)),
  (a) => a.transpose(),
  (a, _b, c) => a.broadcast([1 + (c % 3), ...a.shape]),
  (a, _b, c) => {
    const start = a.shape.map((size, axis) => (axis === c % a.rank && size > 1 ? 1 : 0));
    return a.slice(start, a.shape);
  },
  (a, _b, c) => {
    const one = a.shape.map((_, axis) => (axis === c % a.rank ? 1 : 0));
    return a.pad(one, c % 2 ? one : one.map(() => 0));
  },
  (a, _b, c) => asMatrix(a, c).matmul(asMatrix(a, c).tanh(), { transposeB: true }),
  (a, b, c) => {
    const [left, right] = [asMatrix(a, c), asMatrix(b, c)];
    return left.shape[0] === right.shape[0] ? left.matmul(right, { transposeA: true }) : undefined;
  },
  (a, _b, c) => {
    const matrix = asMatrix(a, c);
    const weight = matrix.slice([0, 0], [Math.min(2, matrix.shape[0]), Math.min(3, matrix.shape[1])]);
    return matrix
      .reshape([1, 1, ...matrix.shape])
      .conv2d(weight.reshape([1, 1, ...weight.shape]), { stride: [1, 2], padding: [1, 0] });
  },
  (a) => iota(a.shape).cast("f32").mul(0.1).add(a),
  // halves of a few values, none near the middle of two: rounding must not depend on the last bits of a
  (a) => thirds(a).cast("f16").cast("f32").relu().add(a),
  (a, _b, c) => asMatrix(a, c).matmul(asMatrix(thirds(a), c).cast("f16"), { transposeB: true }),
  (_a, _b, c, variables) => variables[c % variables.length],
  (a, _b, c, variables) => {
    const variable = variables[c % variables.length];
    variable.assign(sameShape(a.shape, variable.shape) ? a.tanh() : variable.mul(0.5).add(a.sum().tanh()));
    return undefined;
  },
  // an assign that nothing may overwrite too early: the old value goes on
  (_a, _b, c, variables) => {
    const variable = variables[c % variables.length];
    const old = variable.asTensor();
    variable.assign(variables[(c + 1) % variables.length].sum().add(old).tanh());
    return old;
  },
  (a, _b, c, variables) => {
    const variable = variables[c % variables.length].asTensor();
    return grad(a.mul(a).sum().add(variable.sin().sum()), [variable])[0];
  },
];

/** Traces the program; returns the tensors it ends with. */
function trace(
  { instructions, outputs }: Program,
  inputs: readonly Operand[],
  variables: readonly Variable[],
  scalar: Tensor,
): Record<string, Tensor> {
  const pool: Tensor[] = [...inputs.map((input) => input.asTensor()), scalar, constant(0.5)];
  const pick = (i: number): Tensor => pool[i % pool.length];
  for (const { operation, a, b, c } of instructions) {
    const made = operations[operation % operations.length](pick(a), pick(b), c, variables)?.asTensor();
    if (made) pool.push(made.size > MOST_ELEMENTS ? made.sum() : made);
  }
  return Object.fromEntries(outputs.map((output, i) => [`output${i}`, pool[pool.length - 1 - (output % pool.length)]]));
}

/** Values of a run: outputs and, after it, Variables, by name. */
export type RunValues = Readonly<Record<string, ArrayLike<number>>>;

export interface Executed {
  readonly plan: Plan;
  readonly actual: readonly RunValues[];
  readonly expected: readonly RunValues[];
  /** Bytes the backend held more while the step was open. */
  readonly liveBytes: number;
}

const RUNS = 2;
const wave = (count: number, salt: number): Float64Array<ArrayBuffer> =>
  Float64Array.from({ length: count }, (_, i) => Math.fround(Math.sin(1.7 * i + salt)));

/** Compiles and runs a program; `backend` stays open. */
export async function execute(program: Program, backend: Backend, options: CompileOptions = {}): Promise<Executed> {
  const { rows, columns } = program;
  const variables = [[rows, columns], [columns], []].map(
    (shape, i) =>
      new Variable(
        shape,
        wave(
          shape.reduce((a, b) => a * b, 1),
          10 + i,
        ),
        { name: `variable${i}` },
      ),
  );
  let run = 0;
  let made: readonly [string, Tensor][] = [];
  const before = backend.liveBytes;
  const step = await compile(
    backend,
    { x: f32(rows, columns), y: f32(columns) },
    ({ x, y }) => {
      const scalar = hostScalar("rate", () => 0.25 + run);
      const outputs = trace(program, [x, y, ...variables], variables, scalar);
      made = [
        ...Object.entries(outputs),
        ...variables.map((variable) => [variable.name, variable.asTensor()] as const),
      ] as [string, Tensor][];
      return outputs;
    },
    options,
  );
  const liveBytes = backend.liveBytes - before;
  const actual: RunValues[] = [];
  const expected: RunValues[] = [];
  let state = new Map<Variable, ArrayLike<number>>();
  for (const variable of variables) state.set(variable, await variable.read());
  for (run = 0; run < RUNS; run++) {
    const inputs = { x: wave(rows * columns, run), y: wave(columns, run + 0.5) };
    const values = referenceValues(
      made.map(([, tensor]) => tensor),
      { inputs, variables: state },
    );
    expected.push(Object.fromEntries(made.map(([name], i) => [name, values[i]])));
    state = new Map(variables.map((variable, i) => [variable, values[values.length - variables.length + i]]));
    const outputs = await step(inputs);
    const after: [string, TypedArray][] = [];
    for (const variable of variables) after.push([variable.name, await variable.read()]);
    actual.push({
      ...Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, data])),
      ...Object.fromEntries(after),
    });
  }
  step.close();
  for (const variable of variables) variable.close();
  return { plan: step.plan, actual, expected, liveBytes };
}
