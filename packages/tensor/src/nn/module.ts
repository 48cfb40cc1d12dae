/**
 * Module: a tree of layers that reads like PyTorch. Properties that are Variables or Modules are found by
 * name, so property names are the torch `state_dict` names. `call` runs `forward`, then the forward hooks.
 */
import type { SafetensorsTensor } from "../safetensors.ts";
import { withLayer } from "../scope.ts";
import type { Operand, Tensor } from "../tensor.ts";
import { Variable } from "../variable.ts";
import { checkStateDict, fromStored, type StateDict, storedType, toStored } from "./state-dict.ts";

/** Sees a module's inputs and output after each call; a returned value replaces the output. */
export type ForwardHook = (module: Module<unknown>, inputs: readonly Operand[], output: unknown) => unknown;

/** A network or a part of one, with Variables and modules as its fields (torch.nn.Module). */
export abstract class Module<Output = Tensor> {
  /** Whether layers such as BatchNorm and Dropout behave as in training; read at trace time. */
  training = true;
  #path: string | undefined;
  readonly #hooks = new Set<{ readonly hook: ForwardHook }>();

  /** What the module computes, in ops; `call` runs it. */
  abstract forward(...inputs: Operand[]): Output;

  /** Runs forward under this layer's path, then the forward hooks in order of registration. */
  call(...inputs: Parameters<this["forward"]>): ReturnType<this["forward"]> {
    if (this.#path === undefined) this.named("");
    return withLayer(this.path, () => {
      let output: unknown = this.forward(...(inputs as Operand[]));
      for (const { hook } of this.#hooks) output = hook(this, inputs as readonly Operand[], output) ?? output;
      return output as ReturnType<this["forward"]>;
    });
  }

  /** Where the module sits under its root, e.g. `student.layer1.0`. */
  get path(): string {
    return this.#path ?? "";
  }

  /** Makes this module a root: gives every layer and Variable below it a path that starts with `role`. */
  named(role: string): this {
    for (const [path, module] of this.namedModules(role)) module.#path = path;
    for (const [path, variable] of this.namedVariables(role)) variable.name = path;
    return this;
  }

  /** Adds a forward hook, which runs as often as it was added; the returned function removes it. */
  registerForwardHook(hook: ForwardHook): () => void {
    const entry = { hook };
    this.#hooks.add(entry);
    return () => this.#hooks.delete(entry);
  }

  /** Direct submodules by name. */
  namedChildren(): [string, Module<unknown>][] {
    return Object.entries(this).filter((entry): entry is [string, Module<unknown>] => entry[1] instanceof Module);
  }

  /** This module and all below it, each once, parents first. */
  namedModules(prefix = "", seen = new Set<Module<unknown>>()): [string, Module<unknown>][] {
    if (seen.has(this)) return [];
    seen.add(this);
    const below = this.namedChildren().flatMap(([name, child]) =>
      child.namedModules(prefix ? `${prefix}.${name}` : name, seen),
    );
    return [[prefix, this], ...below];
  }

  /** All Variables (parameters and buffers), each once, in torch's order. */
  namedVariables(prefix = ""): [string, Variable][] {
    const seen = new Set<Variable>();
    return this.namedModules(prefix).flatMap(([path, module]) =>
      Object.entries(module).flatMap(([name, value]): [string, Variable][] => {
        if (!(value instanceof Variable) || seen.has(value)) return [];
        seen.add(value);
        return [[path ? `${path}.${name}` : name, value]];
      }),
    );
  }

  /** Variables an optimizer updates; a module that has no name yet becomes a root, so that they have theirs. */
  parameters(): Variable[] {
    if (this.#path === undefined) this.named("");
    return this.namedVariables().flatMap(([, variable]) => (variable.trainable ? [variable] : []));
  }

  /** Training mode for this module and all below it. */
  train(training = true): this {
    for (const [, module] of this.namedModules()) module.training = training;
    return this;
  }

  /** Evaluation mode for this module and all below it. */
  eval(): this {
    return this.train(false);
  }

  /** Values of all Variables by torch name, ready for safetensors; integers as I64, as torch has them. */
  async stateDict(): Promise<StateDict> {
    const entries = this.namedVariables().map(
      async ([name, variable]) => [name, { ...storedType(variable), data: toStored(await variable.read()) }] as const,
    );
    return new Map(await Promise.all(entries));
  }

  /**
   * Replaces all values; F16 and F64 become the model's floats. Throws a StateDictError naming tensors that are
   * missing, unexpected, mis-shaped or of a dtype that does not fit; then nothing changed.
   */
  loadStateDict(state: StateDict): void {
    const own = this.namedVariables();
    checkStateDict(state, new Map(own));
    for (const [name, variable] of own) variable.write(fromStored(state.get(name) as SafetensorsTensor));
  }

  /** Frees the device buffers of all Variables; their values are lost. */
  close(): void {
    for (const [, variable] of this.namedVariables()) variable.close();
  }
}
