/** Times one op on a device: its operands and result stay there, and the result is compared with the CPU backend's. */
import { type Backend, compile, cpuBackend, type Tensor, Variable } from "@guidance/tensor";
import { fill, magnitude, time } from "../../peers/data.mjs";
import type { Timing } from "../result.ts";

export interface OpWork {
  readonly name: string;
  readonly flops?: number;
  /** Shapes of the operands. */
  readonly operands: readonly (readonly number[])[];
  /** Their values; default `fill` with their number as salt. */
  readonly values?: readonly (() => Float32Array<ArrayBuffer>)[];
  /** The results, all of them stored. */
  apply(...operands: Variable[]): readonly Tensor[];
  /** Copies of the op in one step, each on operands of its own: for ops too short to time alone. */
  readonly copies?: number;
  /** What the magnitude of each result counts in the check; default 1. */
  readonly weights?: readonly number[];
  /** Largest difference from the CPU's magnitude that passes, relative; default 1e-4. */
  readonly tolerance?: number;
}

/** The op as a step that stores its results, and a way to read how large they are. */
async function prepare(backend: Backend, { operands, values, apply, weights }: OpWork, copies: number) {
  const results: Variable[] = [];
  const step = await compile(backend, {}, () => {
    for (let copy = 0; copy < copies; copy++) {
      const inputs = operands.map(
        (shape, i) =>
          new Variable(shape, values?.[i] ?? (() => fill(sizeOf(shape), i + 100 * copy)), {
            name: `operand ${i} of ${copy}`,
          }),
      );
      for (const tensor of apply(...inputs)) {
        const result = new Variable(tensor.shape, 0, { name: `result of ${copy}` });
        result.assign(tensor);
        results.push(result);
      }
    }
    return {};
  });
  const check = async () => {
    const sizes = await Promise.all(results.map(async (result) => magnitude(await result.read())));
    return sizes.reduce((sum, size, i) => sum + size * (weights?.[i] ?? 1), 0) / copies;
  };
  return { step, check };
}

const sizeOf = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

/** @throws Error when the device's result is not the CPU's */
export async function timeOp(backend: Backend, work: OpWork): Promise<Timing> {
  const { name, flops, copies = 1, tolerance = 1e-4 } = work;
  const { step, check } = await prepare(backend, work, copies);
  const times = await time(() => step({}));
  const value = await check();
  const reference = await prepare(cpuBackend(), work, 1);
  await reference.step({});
  if (copies === 1) expectClose(name, value, await reference.check(), tolerance);
  const dispatches = step.plan.calls.reduce((sum, call) => sum + call.dispatches, 0) / copies;
  step.close();
  return {
    name,
    times: times.map((t) => t / copies),
    ...(flops ? { flops } : {}),
    check: value,
    facts: { dispatches },
  };
}

export function expectClose(name: string, actual: number, expected: number, tolerance: number): void {
  if (Math.abs(actual - expected) <= tolerance * Math.abs(expected)) return;
  throw new Error(`${name} gives ${actual}, expected ${expected}: the result is wrong, so its time is not reported`);
}
