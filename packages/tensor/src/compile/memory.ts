/**
 * Memory: give every tensor of a scheduled step a buffer. Temporaries live from the kernel that makes them
 * to the last that reads them, in whole buffers that are reused (a dispatch may not read and write one
 * buffer), in place where the kernel allows. A Variable's new value goes straight to its buffer if nobody
 * reads the old one later, else through a temporary and a copy at the end.
 */
import type { Lowering } from "../backend/backend.ts";
import type { DType, TensorType } from "../dtype.ts";
import { elementCount } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import type { EmittedKernel } from "./emit.ts";
import type { Graph } from "./graph.ts";
import { type Kernel, overwritableInputs } from "./kernel.ts";
import { Plan, type PlanBuffer, type PlanCall, RUNS_IN_FLIGHT } from "./plan.ts";
import { isBufferLeaf } from "./realize.ts";

export interface MemoryContext {
  bytesOf(type: TensorType): number;
  lower(kernel: Kernel): Lowering;
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

interface Block {
  readonly index: number;
  bytes: number;
  label: string;
}

class Placer {
  readonly #buffers: { role: PlanBuffer["role"]; block: Block }[] = [];
  readonly #free: Block[] = [];
  readonly #reuse: boolean;

  constructor(reuse: boolean) {
    this.#reuse = reuse;
  }

  fixed(role: PlanBuffer["role"], bytes: number, label: string): number {
    const block: Block = { index: this.#buffers.length, bytes, label };
    this.#buffers.push({ role, block });
    return block.index;
  }

  /** A free block: the smallest that is large enough, else the largest, grown; else a new one. */
  take(bytes: number, label: string): number {
    const large = this.#free.filter((block) => block.bytes >= bytes).sort((a, b) => a.bytes - b.bytes)[0];
    const block = large ?? [...this.#free].sort((a, b) => b.bytes - a.bytes)[0];
    if (!block || !this.#reuse) return this.fixed("temporary", bytes, label);
    this.#free.splice(this.#free.indexOf(block), 1);
    block.bytes = Math.max(block.bytes, bytes);
    return block.index;
  }

  isTemporary(index: number): boolean {
    return this.#buffers[index].role === "temporary";
  }

  release(index: number): void {
    const { role, block } = this.#buffers[index];
    if (role === "temporary" && !this.#free.includes(block)) this.#free.push(block);
  }

  get buffers(): PlanBuffer[] {
    return this.#buffers.map(({ role, block }) => ({ role, bytes: block.bytes, label: block.label }));
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
  const placer = new Placer(context.reuse);
  const leafOf = new Map<number, Tensor>();
  const bufferOf = new Map<Tensor, number>();
  const last = lastReads(kernels, graph);
  const scalarsBuffer =
    context.scalars.length > 0
      ? placer.fixed("scalars", context.scalars.length * bytesOf({ shape: [], dtype: "f32" }), "host scalars")
      : -1;

  const leafBuffer = (leaf: Tensor): number => {
    let buffer = bufferOf.get(leaf);
    if (buffer === undefined) {
      const role = leaf.op.name === "input" ? "input" : leaf.op.name === "variable" ? "variable" : "constant";
      const attrs = leaf.attrs as { name?: string; variable?: { name: string } };
      buffer = placer.fixed(role, bytesOf(leaf), attrs.variable?.name ?? attrs.name ?? "constant");
      bufferOf.set(leaf, buffer);
      leafOf.set(buffer, leaf);
    }
    return buffer;
  };

  const calls: PlanCall[] = [];
  const late: PlanCall[] = [];
  const lowered = (kernel: Kernel, inputs: number[], outputs: number[]): PlanCall => {
    const { scratch, family, dispatches } = context.lower(kernel);
    const taken = scratch.map((bytes, i) => placer.take(bytes, `${kernel.label} scratch ${i}`));
    for (const buffer of taken) placer.release(buffer);
    return { kernel, inputs, outputs, scratch: taken, family, dispatches };
  };

  kernels.forEach(({ kernel, inputs, outputs }, position) => {
    const sources = inputs.map((input) => (isBufferLeaf(input) ? leafBuffer(input) : (bufferOf.get(input) as number)));
    const reused = new Set<number>();
    const targets = outputs.map((output, o) => {
      const overwritable = overwritableInputs(kernel, o);
      const leaf = oldValueOf.get(output);
      if (leaf) {
        const target = leafBuffer(leaf);
        const own = inputs.indexOf(leaf);
        const readLater = (last.get(leaf) ?? -1) > position;
        if (!readLater && (own < 0 || overwritable.includes(own))) return target;
      }
      const dying = overwritable.find(
        (i) =>
          context.reuse &&
          placer.isTemporary(sources[i]) &&
          last.get(inputs[i]) === position &&
          !reused.has(sources[i]) &&
          bytesOf(inputs[i]) === bytesOf(output) &&
          sources.filter((s) => s === sources[i]).length === 1,
      );
      if (dying === undefined) return placer.take(bytesOf(output), kernel.label);
      reused.add(sources[dying]);
      return sources[dying];
    });
    calls.push(lowered(kernel, sources, targets));
    outputs.forEach((output, i) => {
      bufferOf.set(output, targets[i]);
      const leaf = oldValueOf.get(output);
      if (leaf && targets[i] !== leafBuffer(leaf)) {
        const copy = copyKernel(output, (leaf.attrs as { variable: { name: string } }).variable.name);
        late.push({
          kernel: copy,
          inputs: [targets[i]],
          outputs: [leafBuffer(leaf)],
          scratch: [],
          family: context.lower(copy).family,
          dispatches: context.lower(copy).dispatches,
        });
        last.set(output, Number.POSITIVE_INFINITY);
      }
    });
    for (const input of new Set(inputs))
      if (last.get(input) === position && !reused.has(bufferOf.get(input) as number))
        placer.release(bufferOf.get(input) as number);
  });

  const planOutputs = graph.outputs.map(({ name, tensor }) => ({
    name,
    buffer: bufferOf.get(tensor) as number,
    type: { shape: tensor.shape, dtype: tensor.dtype },
  }));
  const buffers = placer.buffers;
  const total = (role: PlanBuffer["role"]) =>
    buffers.reduce((sum, buffer) => sum + (buffer.role === role ? buffer.bytes : 0), 0);
  const staging = RUNS_IN_FLIGHT * planOutputs.reduce((sum, { type }) => sum + bytesOf(type), 0);
  const parts = {
    variables: total("variable"),
    inputs: total("input") + total("scalars"),
    constants: total("constant"),
    temporaries: total("temporary"),
    staging,
  };
  const memory = { ...parts, peak: Object.values(parts).reduce((a, b) => a + b, 0) };
  return {
    plan: new Plan({
      buffers,
      calls: [...calls, ...late],
      scalars: context.scalars,
      scalarsBuffer,
      outputs: planOutputs,
      memory,
    }),
    leafOf,
  };
}
