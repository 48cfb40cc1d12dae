/**
 * One storage buffer as a shader sees it: how it is declared, and the text that loads and stores elements.
 * Elements count from `origin`, the first element of the bound window.
 */
import type { DType } from "@guidance/tensor";
import type { BindingWindow } from "./dispatch.ts";
import { fromStorage, type StorageScalar, storageScalar, toStorage, type Width, wgslType } from "./wgsl.ts";

/** Declares a fresh local of the shader and returns its name. */
type Declare = (prefix: string, expression: string) => string;

export class StorageBinding {
  readonly name: string;
  /** Type of the values that `load` gives and `store` takes. */
  readonly dtype: DType;
  /** 4: an array of vec4, for aligned groups of four only. 1: an array of single elements. */
  readonly width: Width;
  /** First element of the window: subtract it from an element of the whole buffer. */
  readonly origin: number;
  readonly window: BindingWindow;
  readonly #declare: Declare;
  readonly #stored: StorageScalar;

  constructor(
    declare: Declare,
    name: string,
    dtype: DType,
    width: Width,
    origin: number,
    window: BindingWindow,
    stored: StorageScalar = storageScalar(dtype),
  ) {
    this.#declare = declare;
    this.name = name;
    this.dtype = dtype;
    this.width = width;
    this.origin = origin;
    this.window = window;
    this.#stored = stored;
  }

  /** The same buffer read as another dtype: for an input that is overwritten by an output of another dtype. */
  as(dtype: DType): StorageBinding {
    if (dtype === this.dtype) return this;
    return new StorageBinding(this.#declare, this.name, dtype, this.width, this.origin, this.window, this.#stored);
  }

  /** `@group(0) @binding(3) var<storage, read> input1: array<f32>;` */
  declaration(binding: number): string {
    const element = this.dtype === "u8" ? "u32" : wgslType(this.#stored, this.width);
    return `@group(0) @binding(${binding}) var<storage, ${this.window.access}> ${this.name}: array<${element}>;`;
  }

  /**
   * The value at `element` (a u32 expression): one element at width 1, the four from `element` on, a multiple of
   * four, at width 4. Only u8 bindings take another width than their own.
   */
  load(element: string, width: Width = this.width): string {
    if (this.dtype === "u8") return this.#loadBytes(element, width);
    const index = this.width === 4 ? `(${element}) >> 2u` : element;
    return fromStorage(`${this.name}[${index}]`, this.#stored, this.dtype, this.width);
  }

  /** Four elements as one vec4 from a binding of width 1: `element`, `element + stride`, ... (stride an expression, e.g. `1u`). */
  gather(element: string, stride: string): string {
    const first = this.#declare("at", element);
    const one = (i: number) => (i === 0 ? first : `${first} + ${i === 1 ? stride : `${i}u * ${stride}`}`);
    if (this.dtype === "u8") return `vec4<u32>(${[0, 1, 2, 3].map((i) => this.#byte(one(i))).join(", ")})`;
    const elements = [0, 1, 2, 3].map((i) => `${this.name}[${one(i)}]`).join(", ");
    return fromStorage(`vec4<${this.#stored}>(${elements})`, this.#stored, this.dtype, 4);
  }

  /** The statement that stores `value` at `element`. */
  store(element: string, value: string): string {
    const index = this.width === 4 ? `(${element}) >> 2u` : element;
    return `${this.name}[${index}] = ${toStorage(value, this.dtype, this.#stored, this.width)};`;
  }

  #loadBytes(element: string, width: Width): string {
    if (width === 1) return this.#byte(this.#declare("at", element));
    return `((vec4<u32>(${this.name}[(${element}) >> 2u]) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(255u))`;
  }

  #byte(element: string): string {
    return `((${this.name}[(${element}) >> 2u] >> (((${element}) & 3u) << 3u)) & 255u)`;
  }
}
