/**
 * Memory: give every tensor of a scheduled step a buffer. Temporaries live from the kernel that makes them
 * to the last that reads them, in whole buffers that are reused (a dispatch may not read and write one
 * buffer), in place where the kernel allows. A Variable's new value goes straight to its buffer if nobody
 * reads the old one later, else through a temporary and a copy at the end.
 */
import type { Lowering, Overwrites } from "../backend/backend.ts";
import type { DType, TensorType } from "../dtype.ts";
import { elementCount } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import type { EmittedKernel } from "./emit.ts";
import type { Graph } from "./graph.ts";
import { type Kernel, overwritableInputs } from "./kernel.ts";
import { pack } from "./pack.ts";
import { Plan, type PlanBuffer, type PlanCall, type PlanMemory, RUNS_IN_FLIGHT } from "./plan.ts";
import { isBufferLeaf } from "./realize.ts";

export interface MemoryContext {
  bytesOf(type: TensorType): number;
  lower(kernel: Kernel, overwrites: Overwrites): Lowering;
  /** The Variable leaf whose buffer a stored tensor goes to (made here if the old value is never read). */
  readonly oldValueOf: ReadonlyMap<Tensor, Tensor>;
  readonly scalars: readonly DType[];
  /** Reuse temporaries at all; off, each has its own buffer. */
  readonly reuse: boolean;
}

/** A plan with the leaf each non-temporary buffer belongs to. */
export interface PlacedPlan {
  readonly plan: Plan;
  readonly leafOf: ReadonlyMap<number, Tensor>;
}

/** Where a tensor lies: a buffer of its own, or a temporary that shares one with others when all lifetimes are known. */
interface Storage {
  readonly role: PlanBuffer["role"];
  readonly bytes: number;
  readonly label: string;
  /** First and last call that need it. */
  readonly from: number;
  to: number;
}

/** A call whose buffers have no numbers yet. */
interface StoredCall extends Omit<PlanCall, "inputs" | "outputs" | "scratch"> {
  readonly inputs: readonly Storage[];
  readonly outputs: readonly Storage[];
  readonly scratch: readonly Storage[];
}

/** Numbers buffers in the order in which the calls meet them. */
class BufferList {
  readonly buffers: PlanBuffer[] = [];
  readonly #firstOf = new Map<Storage, Storage>();
  readonly #numbers = new Map<Storage, number>();

  constructor(shared: Iterable<readonly Storage[]>) {
    for (const all of shared) for (const storage of all) this.#firstOf.set(storage, all[0]);
  }

  number(storage: Storage): number {
    // the first of those that share a buffer is as large as it
    const first = this.#firstOf.get(storage) ?? storage;
    let number = this.#numbers.get(first);
    if (number === undefined) {
      number = this.buffers.push({ role: first.role, bytes: first.bytes, label: storage.label }) - 1;
      this.#numbers.set(first, number);
    }
    return number;
  }
}

/** Kernel that copies one dense tensor. */
function copyKernel({ shape, dtype }: TensorType, label: string): Kernel {
  const count = elementCount(shape);
  const domain = count === 1 ? [] : [count];
  return {
    label: `${label} store`,
    path: "",
    inputs: [{ shape, dtype }],
    domain,
    core: undefined,
    body: [{ kind: "load", input: 0, view: { offset: 0, strides: domain.map(() => 1) }, dtype }],
    outputs: [{ type: { shape, dtype }, expression: 0 }],
  };
}

/** Index of the last call that reads each tensor; outputs are read after the end. */
function lastReads(kernels: readonly EmittedKernel[], graph: Graph): Map<Tensor, number> {
  const last = new Map<Tensor, number>();
  kernels.forEach(({ inputs }, i) => {
    for (const input of inputs) last.set(input, i);
  });
  for (const { tensor } of graph.outputs) last.set(tensor, Number.POSITIVE_INFINITY);
  return last;
}

export function place(kernels: readonly EmittedKernel[], graph: Graph, context: MemoryContext): PlacedPlan {
  const { bytesOf, oldValueOf } = context;
  const temporaries: Storage[] = [];
  const storageOf = new Map<Tensor, Storage>();
  const leafStorage = new Map<Tensor, Storage>();
  const last = lastReads(kernels, graph);
  const fixed = (role: PlanBuffer["role"], bytes: number, label: string): Storage => ({
    role,
    bytes,
    label,
    from: 0,
    to: Number.POSITIVE_INFINITY,
  });
  const temporary = (bytes: number, label: string, call: number): Storage => {
    const storage: Storage = { role: "temporary", bytes, label, from: call, to: call };
    temporaries.push(storage);
    return storage;
  };
  const ofLeaf = (leaf: Tensor): Storage => {
    let storage = leafStorage.get(leaf);
    if (!storage) {
      const role = leaf.op.name === "input" ? "input" : leaf.op.name === "variable" ? "variable" : "constant";
      const attrs = leaf.attrs as { name?: string; variable?: { name: string } };
      storage = fixed(role, bytesOf(leaf), attrs.variable?.name ?? attrs.name ?? "constant");
      leafStorage.set(leaf, storage);
    }
    return storage;
  };

  const calls: StoredCall[] = [];
  const late: StoredCall[] = [];
  kernels.forEach(({ kernel, inputs, outputs }, position) => {
    const sources = inputs.map((input) => (isBufferLeaf(input) ? ofLeaf(input) : (storageOf.get(input) as Storage)));
    for (const source of sources) source.to = Math.max(source.to, position);
    const reused = new Set<Storage>();
    const targets = outputs.map((output, o) => {
      const overwritable = overwritableInputs(kernel, o);
      const leaf = oldValueOf.get(output);
      if (leaf) {
        const own = inputs.indexOf(leaf);
        const readLater = (last.get(leaf) ?? -1) > position;
        if (!readLater && (own < 0 || overwritable.includes(own))) return ofLeaf(leaf);
      }
      const dying = overwritable.find(
        (i) =>
          context.reuse &&
          sources[i].role === "temporary" &&
          last.get(inputs[i]) === position &&
          !reused.has(sources[i]) &&
          bytesOf(inputs[i]) === bytesOf(output) &&
          sources.filter((source) => source === sources[i]).length === 1,
      );
      if (dying === undefined) return temporary(bytesOf(output), kernel.label, position);
      reused.add(sources[dying]);
      return sources[dying];
    });
    const overwrites = targets.map((target) => {
      const input = sources.indexOf(target);
      return input < 0 ? undefined : input;
    });
    const { scratch, family, dispatches } = context.lower(kernel, overwrites);
    const taken = scratch.map((bytes, i) => temporary(bytes, `${kernel.label} scratch ${i}`, position));
    calls.push({ kernel, inputs: sources, outputs: targets, scratch: taken, family, dispatches });
    outputs.forEach((output, i) => {
      storageOf.set(output, targets[i]);
      const leaf = oldValueOf.get(output);
      if (!leaf || targets[i] === ofLeaf(leaf)) return;
      const copy = copyKernel(output, (leaf.attrs as { variable: { name: string } }).variable.name);
      late.push({
        ...context.lower(copy, []),
        kernel: copy,
        inputs: [targets[i]],
        outputs: [ofLeaf(leaf)],
        scratch: [],
      });
      last.set(output, Number.POSITIVE_INFINITY);
    });
    for (const target of targets)
      if (outputs.some((output) => storageOf.get(output) === target && last.get(output) === Number.POSITIVE_INFINITY))
        target.to = Number.POSITIVE_INFINITY;
  });

  const list = new BufferList(context.reuse ? pack(temporaries) : []);
  const scalars = context.scalars.length * bytesOf({ shape: [], dtype: "f32" });
  const scalarsBuffer = scalars > 0 ? list.number(fixed("scalars", scalars, "host scalars")) : -1;
  const numbers = (storages: readonly Storage[]) => storages.map((storage) => list.number(storage));
  const planCalls = [...calls, ...late].map(
    ({ kernel, inputs, outputs, scratch, family, dispatches }): PlanCall => ({
      kernel,
      inputs: numbers(inputs),
      outputs: numbers(outputs),
      scratch: numbers(scratch),
      family,
      dispatches,
    }),
  );
  const outputs = graph.outputs.map(({ name, tensor }) => ({
    name,
    buffer: list.number(storageOf.get(tensor) as Storage),
    type: { shape: tensor.shape, dtype: tensor.dtype },
  }));
  const memory = memoryOf(list.buffers, RUNS_IN_FLIGHT * outputs.reduce((sum, { type }) => sum + bytesOf(type), 0));
  return {
    plan: new Plan({
      buffers: list.buffers,
      calls: planCalls,
      scalars: context.scalars,
      scalarsBuffer,
      outputs,
      memory,
    }),
    leafOf: new Map([...leafStorage].map(([leaf, storage]) => [list.number(storage), leaf])),
  };
}

function memoryOf(buffers: readonly PlanBuffer[], staging: number): PlanMemory {
  const total = (role: PlanBuffer["role"]) =>
    buffers.reduce((sum, buffer) => sum + (buffer.role === role ? buffer.bytes : 0), 0);
  const parts = {
    variables: total("variable"),
    inputs: total("input") + total("scalars"),
    constants: total("constant"),
    temporaries: total("temporary"),
    staging,
  };
  return { ...parts, peak: Object.values(parts).reduce((a, b) => a + b, 0) };
}
