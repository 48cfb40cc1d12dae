/** Inner products of relations, and the similarity they make. */
import type { TypedArray } from "@guidance/tensor";

export function dot(a: TypedArray, b: TypedArray): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** <A, B> / sqrt(<A, A> <B, B>): 0 where one of them never varies. */
export function cosine(cross: number, a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : cross / Math.sqrt(a * b);
}
