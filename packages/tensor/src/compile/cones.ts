/**
 * Cones: what computing a realized tensor takes, from the buffers it reads on, as text that equal work on other tensors
 * shares. A network repeats its layers, so most kernels are emitted once and then found again (`Emitter`).
 */
import { exactJson } from "../exact-json.ts";
import type { Tensor } from "../tensor.ts";
import { type EmitContext, type EmittedKernel, emit, type Group } from "./emit.ts";
import type { Kernel } from "./kernel.ts";
import { aliasOf, isBufferLeaf } from "./realize.ts";

export interface Cone {
  /** Equal for equal work. */
  readonly id: number;
  /** Realized tensors and buffer leaves it reads, each once. */
  readonly loads: readonly Tensor[];
}

export class Cones {
  readonly #context: EmitContext;
  readonly #known = new Map<Tensor, Cone>();
  readonly #ids = new Map<string, number>();

  constructor(context: EmitContext) {
    this.#context = context;
  }

  of(tensor: Tensor): Cone {
    let cone = this.#known.get(tensor);
    if (!cone) {
      cone = this.#describe(tensor);
      this.#known.set(tensor, cone);
    }
    return cone;
  }

  #describe(tensor: Tensor): Cone {
    const loads: Tensor[] = [];
    const lines: string[] = [];
    const names = new Map<Tensor, number>();
    const visit = (input: Tensor): number => {
      let name = names.get(input);
      if (name === undefined) {
        const isLoad = isBufferLeaf(input) || this.#context.realized.has(input);
        if (isLoad) loads.push(input);
        const text = isLoad ? `load ${input.dtype} ${input.shape}` : this.#work(input, visit);
        name = lines.push(text) - 1;
        names.set(input, name);
      }
      return name;
    };
    const isCore = tensor.op.family === "core";
    // a core reads its operands' buffers, whatever shapes it sees them in
    const work = this.#work(tensor, (input) => visit(isCore ? aliasOf(input) : input));
    const seen = isCore ? tensor.inputs.map(({ shape }) => `[${shape}]`).join() : "";
    const text = `${lines.join("\n")}\n${work} ${seen}`;
    let id = this.#ids.get(text);
    if (id === undefined) {
      id = this.#ids.size;
      this.#ids.set(text, id);
    }
    return { id, loads };
  }

  #work(tensor: Tensor, visit: (input: Tensor) => number): string {
    const { op, inputs, attrs, dtype, shape } = tensor;
    const own = op.name === "hostScalar" ? this.#context.slotOf(tensor) : attrs && exactJson(attrs);
    return `${op.name} ${own ?? ""} ${dtype} ${shape} of ${inputs.map(visit)}`;
  }
}

/** Numbers tensors as they come. */
class Names {
  readonly tensors: Tensor[] = [];
  readonly #numbers = new Map<Tensor, number>();

  of(tensor: Tensor): number {
    let number = this.#numbers.get(tensor);
    if (number === undefined) {
      number = this.tensors.push(tensor) - 1;
      this.#numbers.set(tensor, number);
    }
    return number;
  }

  list(tensors: readonly Tensor[]): number[] {
    return tensors.map((tensor) => this.of(tensor));
  }
}

/** A kernel with the places of its inputs among what its group reads. */
interface Template {
  readonly kernel: Kernel;
  readonly inputs: readonly number[];
}

/** Emits groups, those of equal structure once. */
export class Emitter {
  readonly #context: EmitContext;
  readonly #cones: Cones;
  /** Undefined where one kernel cannot compute the group. */
  readonly #templates = new Map<string, Template | undefined>();

  constructor(context: EmitContext, cones: Cones) {
    this.#context = context;
    this.#cones = cones;
  }

  /** What `emit` gives, except that the kernel may be that of an equal group, and have its label and path. */
  emit(group: Group, stored: readonly Tensor[]): EmittedKernel | undefined {
    const names = new Names();
    for (const member of group.members) names.of(member);
    let key = `${names.list(group.cores)} stores ${names.list(stored)}`;
    for (const member of group.members) {
      const { id, loads } = this.#cones.of(member);
      key += `;${id}:${names.list(loads)}`;
    }
    if (!this.#templates.has(key)) {
      const emitted = emit(group, stored, this.#context);
      this.#templates.set(key, emitted && { kernel: emitted.kernel, inputs: names.list(emitted.inputs) });
    }
    const template = this.#templates.get(key);
    if (!template) return undefined;
    return { kernel: template.kernel, inputs: template.inputs.map((name) => names.tensors[name]), outputs: stored };
  }
}
