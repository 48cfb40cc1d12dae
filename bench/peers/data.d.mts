export function fill(count: number, salt: number): Float32Array<ArrayBuffer>;
export const fcn48: {
  inputs: number;
  width: number;
  layers: number;
  classes: number;
  batch: number;
  learningRate: number;
};
export function fcnWeight(inputs: number, outputs: number, i: number): Float32Array<ArrayBuffer>;
export interface Product {
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly form: string;
}
export const products: readonly Product[];
export function productName(product: Product): string;
export const convolution: { N: number; C: number; O: number; size: number; kernel: number; stride: number };
export const batchNorm: { N: number; C: number; size: number };
export const alignments: readonly number[];
export function features(d: number, salt: number, period: number): Float32Array<ArrayBuffer>;
export function time(run: () => Promise<unknown>): Promise<number[]>;
export function magnitude(values: Iterable<number> & { readonly length: number }): number;
