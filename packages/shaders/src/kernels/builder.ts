/**
 * Writes one compute shader and the dispatch that runs it.
 *
 * The text of a shader is the key of its pipeline, and a pipeline is expensive (a software driver compiles
 * for 20 to 800 ms). So text holds structure only; whatever differs between two layers of one network (sizes,
 * strides, constants, slots, where a window starts) is a parameter: a member of one uniform block. `param`
 * takes the value and returns the WGSL name, so that a generator reads as if it wrote the number itself.
 *
 *     const shader = new ShaderBuilder(kernel, overwrites, traits);
 *     const rows = shader.param("rows", "u32", 128);           // `rows`, a local of main
 *     const x = shader.input(0);                               // binds kernel input 0
 *     shader.block(`if (group.x < ${rows})`, () => {
 *       const value = shader.let("value", x.load(`group.x`));  // `let value0 = input0[group.x];`
 *       emitStores(shader, kernel, { ... });                   // the fused epilogue, see body.ts
 *     });
 *     return shader.build(64, [2, 1, 1]);                      // a Dispatch
 *
 * In `main`, `group` is the workgroup id (vec3<u32>) and `lane` the local invocation index (u32).
 *
 * Windows: `window(reference, start, end)` before the first use binds only elements [start, end) of a buffer.
 * Elements given to `load` and `store` count from `binding.origin`, the first element of the bound range (the
 * start, aligned down); without a window it is 0. Out-of-range reads are harmless (WebGPU clamps or gives 0).
 */
import { type DType, elementBytes, type Kernel } from "@guidance/tensor";
import type { BindingWindow, BufferReference, DeviceTraits, Dispatch } from "./dispatch.ts";
import { StorageBinding } from "./storage.ts";
import { fromStorage, type Width, wrap } from "./wgsl.ts";

export type ParamType = "u32" | "i32" | "f32";

/** A value of the uniform block. */
interface Param {
  readonly name: string;
  readonly type: ParamType;
  readonly value: number;
}

/** Lines of text; a nested list stands for text that is still being added in its place. */
type Lines = (string | Lines)[];

/** A point of the text at which names can be declared later. */
export interface Mark {
  readonly lines: Lines;
  readonly depth: number;
  readonly names: Map<string, string>;
}

/** Bytes of one element of a storage buffer; u8 elements are packed. */
export function storedBytes(dtype: DType): number {
  return elementBytes(dtype, "float32");
}

export class ShaderBuilder {
  readonly kernel: Kernel;
  readonly overwrites: readonly (number | undefined)[];
  readonly traits: DeviceTraits;
  /** Binding width of each kernel input, where the body chose one (see `planLoads` in body.ts). */
  readonly inputWidths = new Map<number, Width>();
  readonly #bindings = new Map<string, StorageBinding>();
  readonly #windows = new Map<string, { readonly start: number; readonly end: number }>();
  readonly #params = new Map<string, Param>();
  readonly #directives = new Set<string>();
  readonly #declarations = new Map<string, string>();
  readonly #builtins = new Map<string, string>();
  readonly #prelude: Mark = { lines: [], depth: 1, names: new Map() };
  #lines: Lines = [];
  #depth = 1;
  #names = 0;

  constructor(kernel: Kernel, overwrites: readonly (number | undefined)[], traits: DeviceTraits) {
    this.kernel = kernel;
    this.overwrites = overwrites;
    this.traits = traits;
  }

  // -- buffers -----------------------------------------------------------------------------------

  /** Binds only elements [start, end) of a buffer; call before its first use. */
  window(reference: BufferReference, start: number, end: number): void {
    this.#windows.set(keyOf(this.#resolve(reference)), { start, end });
  }

  /**
   * Kernel input `index`. At width 4 the buffer is an array of vec4, so every load must be of four aligned
   * neighbours (u8 inputs allow both). An input that an output overwrites is that output's binding.
   */
  input(index: number, width: Width = this.inputWidths.get(index) ?? 1): StorageBinding {
    const { dtype } = this.kernel.inputs[index];
    const reference = this.#resolve({ kind: "input", index });
    if (reference.kind === "output") return this.output(reference.index, width).as(dtype);
    return this.#bind(reference, dtype, width, "read");
  }

  /** Kernel output `index`, readable and writable. */
  output(index: number, width: Width = 1): StorageBinding {
    return this.#bind({ kind: "output", index }, this.kernel.outputs[index].type.dtype, width, "read_write");
  }

  /** Scratch buffer `index`, `count` elements long. */
  scratch(index: number, dtype: DType, count: number, access: "read" | "read_write", width: Width = 1): StorageBinding {
    return this.#bind({ kind: "scratch", index }, dtype, width, access, count);
  }

  /** Host scalar `slot` of the plan, as a value. */
  scalar(slot: number, dtype: DType): string {
    const binding = this.#bind({ kind: "scalars" }, "u32", 1, "read");
    const at = this.param(`slot${slot}`, "u32", slot, "slot");
    return fromStorage(`${binding.name}[${at}]`, "u32", dtype, 1);
  }

  /** Whether only a window of the buffer is bound. */
  isWindowed(reference: BufferReference): boolean {
    return this.#windows.has(keyOf(this.#resolve(reference)));
  }

  #resolve(reference: BufferReference): BufferReference {
    if (reference.kind !== "input") return reference;
    const output = this.overwrites.indexOf(reference.index);
    return output < 0 ? reference : { kind: "output", index: output };
  }

  #bind(reference: BufferReference, dtype: DType, width: Width, access: "read" | "read_write", count?: number) {
    const key = keyOf(reference);
    const bound = this.#bindings.get(key);
    if (bound) {
      if (bound.width !== width && dtype !== "u8")
        throw new Error(`${key} is bound at width ${bound.width}, then asked for at ${width}`);
      return bound;
    }
    const window = this.#place(reference, dtype, access, count);
    const origin = window.offset / storedBytes(dtype);
    const binding = new StorageBinding((prefix, value) => this.let(prefix, value), key, dtype, width, origin, window);
    this.#bindings.set(key, binding);
    if (dtype === "f16") this.useHalves();
    return binding;
  }

  /** The bytes a binding covers: the window aligned outwards, or the whole buffer. */
  #place(reference: BufferReference, dtype: DType, access: "read" | "read_write", count?: number): BindingWindow {
    const window = this.#windows.get(keyOf(reference));
    // 0 bytes stand for "to the end of the buffer", which for scalars only the plan knows
    if (reference.kind === "scalars") return { buffer: reference, access, offset: 0, size: 0 };
    const total = bufferBytes(count ?? elementsOf(this.kernel, reference), dtype);
    if (!window) return { buffer: reference, access, offset: 0, size: total };
    const { offsetAlignment } = this.traits;
    const bytes = storedBytes(dtype);
    const offset = Math.floor((window.start * bytes) / offsetAlignment) * offsetAlignment;
    // whole vec4s: the buffer always holds them, since a vec4 view of it begins and ends at multiples of 16 bytes
    const end = Math.min(total, Math.max(offset + 16, Math.ceil((window.end * bytes) / 4) * 4));
    return { buffer: reference, access, offset, size: end - offset };
  }

  // -- values ------------------------------------------------------------------------------------

  /**
   * Puts `value` into the uniform block and returns its name in WGSL. Asking again for the same name gives the
   * same parameter, and must give the same value. Negative integers wrap, so u32 sums with them come out right.
   * `alias` is the stem of the name in the text where `name` itself holds what must stay out of it.
   */
  param(name: string, type: ParamType, value: number, alias?: string): string {
    const existing = this.#params.get(name);
    if (existing) {
      if (!Object.is(existing.value, value)) throw new Error(`parameter ${name} is ${existing.value}, then ${value}`);
      return existing.name;
    }
    const text = alias === undefined ? name : `${alias}_${this.#params.size}`;
    this.#params.set(name, { name: text, type, value });
    return text;
  }

  /** A fresh local name that begins with `prefix`. */
  name(prefix: string): string {
    return `${prefix}_${this.#names++}`;
  }

  /** Declares a fresh immutable local and returns its name. */
  let(prefix: string, expression: string): string {
    const name = this.name(prefix);
    this.line(`let ${name} = ${expression};`);
    return name;
  }

  /** Declares a fresh variable and returns its name. */
  var(prefix: string, initial: string): string {
    const name = this.name(prefix);
    this.line(`var ${name} = ${initial};`);
    return name;
  }

  /** Marks this point of the text, so that later text can still declare names here (see `hoist`). */
  mark(): Mark {
    const mark: Mark = { lines: [], depth: this.#depth, names: new Map() };
    this.#lines.push(mark.lines);
    return mark;
  }

  /**
   * Declares a value once, at a mark: outside a loop it does not depend on. What `write` writes goes there too.
   *
   * @param key identifies the value at this mark: asking again returns the same name
   * @param write returns the expression
   */
  hoist(mark: Mark, key: string, prefix: string, write: () => string): string {
    const existing = mark.names.get(key);
    if (existing !== undefined) return existing;
    const { lines, depth } = { lines: this.#lines, depth: this.#depth };
    this.#lines = mark.lines;
    this.#depth = mark.depth;
    const name = this.let(prefix, write());
    this.#lines = lines;
    this.#depth = depth;
    mark.names.set(key, name);
    return name;
  }

  /** Declares a value at the head of `main`: `hoist` to before everything else. */
  once(key: string, prefix: string, write: () => string): string {
    return this.hoist(this.#prelude, key, prefix, write);
  }

  // -- text --------------------------------------------------------------------------------------

  /** Adds one line to `main`. */
  line(text: string): void {
    this.#lines.push("  ".repeat(this.#depth) + text);
  }

  /** Adds `header { ... }` around what `body` writes. */
  block(header: string, body: () => void): void {
    this.line(`${header} {`);
    this.#depth++;
    body();
    this.#depth--;
    this.line("}");
  }

  /** Adds module-scope text once: a function, a constant, a workgroup variable. `key` names it. */
  declare(key: string, text: string): void {
    this.#declarations.set(key, text);
  }

  /** Adds a directive, e.g. `enable subgroups;`. */
  directive(text: string): void {
    this.#directives.add(text);
  }

  /**
   * Allows subgroup operations and returns the name of the lane within the subgroup. The uniformity check is
   * switched off since it cannot know that all lanes of one subgroup take the same way.
   */
  useSubgroups(): string {
    this.directive("enable subgroups;");
    this.directive("diagnostic(off, subgroup_uniformity);");
    this.#builtins.set("subgroup_invocation_id", "subgroupLane: u32");
    return "subgroupLane";
  }

  /** Allows values of type f16. */
  useHalves(): void {
    this.directive("enable f16;");
  }

  /** Linear number of the workgroup in a grid made by `gridOf` (grid.ts); the grid's width is a parameter. */
  linearGroup(grid: readonly [number, number, number]): string {
    return `(group.y * ${this.param("gridWidth", "u32", grid[0])} + group.x)`;
  }

  /** The dispatch: WGSL, bindings in order, contents of the uniform block. */
  build(workgroupSize: number, workgroups: readonly [number, number, number]): Dispatch {
    if (this.#params.size === 0) this.param("unused", "u32", 0);
    const params = [...this.#params.values()];
    const bindings = [...this.#bindings.values()];
    const builtins = ["@builtin(workgroup_id) group: vec3<u32>", "@builtin(local_invocation_index) lane: u32"];
    for (const [builtin, declaration] of this.#builtins) builtins.push(`@builtin(${builtin}) ${declaration}`);
    const shader = [
      // `enable` must come before other directives' effects; both must come first
      ...[...this.#directives].sort((a, b) => Number(b.startsWith("enable")) - Number(a.startsWith("enable"))),
      `struct Params {\n${params.map(({ name, type }) => `  ${name}: ${type},\n`).join("")}}`,
      ...bindings.map((binding, i) => binding.declaration(i)),
      `@group(0) @binding(${bindings.length}) var<uniform> params: Params;`,
      ...this.#declarations.values(),
      `@compute @workgroup_size(${workgroupSize})`,
      `fn main(${builtins.join(", ")}) {`,
      // read once, outside every loop: drivers do not hoist uniform loads reliably
      ...params.map(({ name }) => `  let ${name} = params.${name};`),
      ...flatten(this.#prelude.lines),
      ...flatten(this.#lines),
      "}",
      "",
    ].join("\n");
    return { shader, bindings: bindings.map(({ window }) => window), params: encodeParams(params), workgroups };
  }
}

/** Bytes of a buffer of `count` elements, as the backend allocates it: whole words, at least 16 bytes. */
export function bufferBytes(count: number, dtype: DType): number {
  return Math.max(16, Math.ceil((count * storedBytes(dtype)) / 4) * 4);
}

function elementsOf(kernel: Kernel, reference: BufferReference): number {
  if (reference.kind !== "input" && reference.kind !== "output") throw new Error("scratch needs its element count");
  const { shape } = reference.kind === "input" ? kernel.inputs[reference.index] : kernel.outputs[reference.index].type;
  return shape.reduce((product, size) => product * size, 1);
}

function flatten(lines: Lines): string[] {
  return lines.flatMap((line) => (typeof line === "string" ? [line] : flatten(line)));
}

function keyOf(reference: BufferReference): string {
  return reference.kind === "scalars" ? "scalars" : `${reference.kind}${reference.index}`;
}

function encodeParams(params: readonly Param[]): Uint32Array {
  const words = new Uint32Array(params.length);
  const floats = new Float32Array(words.buffer);
  params.forEach(({ type, value }, i) => {
    if (type === "f32") floats[i] = value;
    else words[i] = wrap(value);
  });
  return words;
}
