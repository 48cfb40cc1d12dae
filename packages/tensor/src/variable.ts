/**
 * Variable: the only thing that changes. A shaped, persistent value with an initial-value recipe; read
 * like a Tensor inside a traced function and updated with `assign`. It is bound to the backend of the
 * first Step that uses it and owns its buffer there.
 */
import type { Backend, DeviceBuffer } from "./backend/backend.ts";
import { allocateArray, type DType, elementBytes, type Precision, type TypedArray, viewAs } from "./dtype.ts";
import { BackendError, formatShape, ShapeError, ValueError } from "./errors.ts";
import { requireValues, storageArray } from "./host-array.ts";
import { reportIfDropped } from "./leaks.ts";
import { leaves } from "./ops/index.ts";
import { captureSite, describeSite } from "./scope.ts";
import { sameShape } from "./shape.ts";
import { create, Operand, type Tensor, type TensorLike } from "./tensor.ts";
import { currentTrace, requireTrace } from "./trace.ts";
import { constant } from "./values.ts";

/** A number for all elements, the elements, or a function that makes them when first needed. */
export type InitialValue = number | ArrayLike<number> | (() => ArrayLike<number>);

/** Name, type and use of a Variable. */
export interface VariableOptions {
  readonly name?: string;
  readonly dtype?: "f32" | "i32" | "u32";
  /** Whether optimizers may update it (a parameter) or not (a buffer such as a running statistic). */
  readonly trainable?: boolean;
}

/** Bytes read from a device at a time: large enough for its full speed, small beside any model. */
const PART_BYTES = 2 ** 25;

/** The buffer of a Variable on a backend; it does not hold the Variable, so a dropped one can be reported. */
class Home {
  readonly backend: Backend;
  readonly buffer: DeviceBuffer;
  isOpen = true;
  readonly #forget: () => void;

  constructor(backend: Backend, values: TypedArray, label: string) {
    this.backend = backend;
    this.buffer = backend.allocate(values.byteLength, label);
    backend.write(this.buffer, values);
    this.#forget = backend.onClose(() => this.close());
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#forget();
    this.backend.free(this.buffer);
  }
}

/** A copy of the same kind: float64 elements stay float64. */
function copied(values: ArrayLike<number>): ArrayLike<number> {
  return values instanceof Float64Array || values instanceof Float32Array ? values.slice() : Array.from(values);
}

/**
 * A value that lasts: a parameter, a running statistic, a moment of an optimizer. Read like a Tensor, changed by
 * `assign`.
 */
export class Variable extends Operand {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly trainable: boolean;
  /** Torch `state_dict` path, prefixed by the root module's role; set by the root module. */
  name: string;
  #value: InitialValue;
  /** Stands for the value where no trace runs. */
  #untraced: Tensor | undefined;
  #home: Home | undefined;

  constructor(
    shape: readonly number[],
    initial: InitialValue,
    { name = "variable", dtype = "f32", trainable = true }: VariableOptions = {},
  ) {
    super();
    this.shape = shape;
    this.dtype = dtype;
    this.trainable = trainable;
    this.name = name;
    if (typeof initial === "object") this.#checkCount("initial value of", initial);
    this.#value = typeof initial === "object" ? copied(initial) : initial;
  }

  /** The current value: what the last `assign` before it left, or the value the step begins with. */
  override asTensor(): Tensor {
    const trace = currentTrace();
    if (trace) return trace.read(this);
    this.#untraced ??= create(leaves.variable, [], { variable: this });
    return this.#untraced;
  }

  /** Makes `value` the new value, stored at the end of the step; later reads in the trace see it. */
  assign(value: TensorLike): void {
    const trace = requireTrace(`assign of "${this.name}"`);
    const next =
      typeof value === "number" ? constant(value, { dtype: this.dtype }).broadcast(this.shape) : value.asTensor();
    if (!sameShape(next.shape, this.shape) || next.dtype !== this.dtype) {
      throw new ShapeError({
        what: `assign of "${this.name}"`,
        facts: `the variable is ${this.dtype}${formatShape(this.shape)}, the value ${next.dtype}${formatShape(next.shape)}`,
        expected: "the same shape and dtype",
        site: describeSite(captureSite()),
      });
    }
    trace.assign(this, next);
  }

  /** The backend it lives on, if any. */
  get backend(): Backend | undefined {
    return this.#home?.isOpen ? this.#home.backend : undefined;
  }

  /** How wide the elements are that it gives. */
  get precision(): Precision {
    const home = this.#openHome();
    if (home) return home.backend.precision;
    return this.#elements() instanceof Float64Array ? "float64" : "float32";
  }

  /** A copy of the elements. */
  async read(): Promise<TypedArray> {
    const home = this.#openHome();
    if (home) return viewAs(await home.backend.read(home.buffer), this.dtype, home.backend.precision, this.size);
    return this.unbound(this.precision);
  }

  /** Copies of consecutive parts of the elements, one at a time: a large Variable is never on the host as a whole. */
  async *readParts(): AsyncGenerator<TypedArray, void, undefined> {
    const home = this.#openHome();
    if (!home) {
      yield this.unbound(this.precision);
      return;
    }
    const { precision } = home.backend;
    const width = elementBytes(this.dtype, precision);
    for (let begin = 0; begin < this.size * width; begin += PART_BYTES) {
      const bytes = Math.min(PART_BYTES, this.size * width - begin);
      yield viewAs(await home.backend.read(home.buffer, begin, bytes), this.dtype, precision, bytes / width);
    }
  }

  /** Replaces the elements; the array is copied, so that it may be filled anew. */
  write(values: ArrayLike<number>): void {
    const what = `write to "${this.name}"`;
    this.#checkCount("write to", values);
    if (this.#home?.isOpen) {
      const { backend, buffer } = this.#home;
      backend.write(buffer, storageArray(what, values, this.dtype, backend.precision));
      return;
    }
    requireValues(what, values, this.dtype);
    this.#value = copied(values);
    this.#home = undefined;
  }

  /** A copy of the elements of a Variable that lives on no backend yet; it stays so. */
  unbound(precision: Precision): TypedArray {
    this.#openHome();
    const array = allocateArray(this.dtype, precision, this.size);
    const value = this.#elements();
    if (typeof value === "number") array.fill(value);
    else array.set(value);
    return array;
  }

  /** The device buffer on `backend`, made and filled on first use. */
  bind(backend: Backend): DeviceBuffer {
    const home = this.#openHome();
    if (home && home.backend !== backend) {
      throw new BackendError({
        what: `variable "${this.name}"`,
        facts: `it lives on ${home.backend.name} but is used on ${backend.name}`,
        expected: "one backend",
        hint: "Read the values (stateDict), close the Variable (close), write them back (loadStateDict), then compile",
      });
    }
    if (home) return home.buffer;
    const value = this.#elements();
    const values =
      typeof value === "number"
        ? this.unbound(backend.precision)
        : storageArray(`value of "${this.name}"`, value, this.dtype, backend.precision);
    this.#home = new Home(backend, values, this.name);
    this.#value = 0;
    reportIfDropped(this, `Variable "${this.name}"`, this.#home);
    return this.#home.buffer;
  }

  /** Frees the device buffer; the value is lost until it is written again. */
  close(): void {
    this.#home?.close();
  }

  /** Where the value is; a value that went with its buffer is an error, not the initial value again. */
  #openHome(): Home | undefined {
    if (this.#home && !this.#home.isOpen) {
      throw new BackendError({
        what: `variable "${this.name}"`,
        facts: `its value was lost when it, or ${this.#home.backend.name}, was closed`,
        expected: "a value",
        hint: "Read the state before closing, and write it back before the next use",
      });
    }
    return this.#home;
  }

  /** The elements while no backend has them; a recipe runs once. */
  #elements(): number | ArrayLike<number> {
    if (typeof this.#value === "function") {
      const made = this.#value();
      this.#checkCount("initial value of", made);
      this.#value = made;
    }
    const what = `initial value of "${this.name}"`;
    requireValues(what, typeof this.#value === "number" ? [this.#value] : this.#value, this.dtype);
    return this.#value;
  }

  #checkCount(what: string, values: ArrayLike<number>): void {
    if (values.length === this.size) return;
    throw new ValueError({
      what: `${what} "${this.name}"`,
      facts: `${values.length} values were given`,
      expected: `${this.size} for shape ${formatShape(this.shape)}`,
      hint: "Give one number for all elements, or one for each",
      site: describeSite(captureSite()),
    });
  }
}
