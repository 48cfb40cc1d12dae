/** A value brought to the host: elements, shape and dtype. Scalars read like numbers. */
import type { DType, TensorType, TypedArray } from "./dtype.ts";
import { formatShape, ValueError } from "./errors.ts";

export class HostValue implements TensorType {
  readonly data: TypedArray;
  readonly shape: readonly number[];
  readonly dtype: DType;

  constructor(data: TypedArray, { shape, dtype }: TensorType) {
    this.data = data;
    this.shape = shape;
    this.dtype = dtype;
  }

  /** The only element. */
  item(): number {
    if (this.data.length !== 1) {
      throw new ValueError({
        what: "item",
        facts: `the value is ${this.dtype}${formatShape(this.shape)}`,
        expected: "a single element",
        hint: "Read .data instead",
      });
    }
    return this.data[0];
  }

  valueOf(): number {
    return this.item();
  }

  /** What console.log shows in Node: the number itself for a scalar. */
  [Symbol.for("nodejs.util.inspect.custom")](): unknown {
    return this.shape.length === 0 ? this.data[0] : { shape: this.shape, dtype: this.dtype, data: this.data };
  }
}
