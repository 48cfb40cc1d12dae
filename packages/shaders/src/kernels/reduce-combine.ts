/**
 * How partial results of a reduction meet: two values, the four lanes of a vec4, the lanes of a subgroup. The order
 * is fixed, so a reduction gives the same bits every time. NaN wins every max and min, as in torch; the built-in
 * max, min and subgroupMax lose it.
 */
import type { DType, ReductionName } from "@guidance/tensor";
import type { ShaderBuilder } from "./builder.ts";
import { numericsFunction } from "./numerics.ts";
import { type StorageScalar, storageScalar, type Width, wgslType } from "./wgsl.ts";

/** One reduction of a pass. */
export interface Reduction {
  readonly op: ReductionName;
  /** Dtype of what is reduced; bool counts as u32. */
  readonly dtype: DType;
}

/** Type in which a reduction accumulates. */
export function accumulatorType({ dtype }: Reduction): StorageScalar {
  return storageScalar(dtype);
}

/** Where an accumulator starts: 0 for a sum, the least or greatest value for max and min. */
export function initialText(shader: ShaderBuilder, reduction: Reduction, width: Width): string {
  const scalar = accumulatorType(reduction);
  const type = wgslType(scalar, width);
  if (reduction.op === "sum") return `${type}(0)`;
  const largest = reduction.op === "min";
  // infinities cannot be written in WGSL
  if (scalar === "f32")
    return `${type}(${shader.param(largest ? "infinity" : "minusInfinity", "f32", largest ? Infinity : -Infinity)})`;
  if (scalar === "i32") return `${type}(${largest ? "0x7fffffff" : "i32(-0x80000000)"})`;
  return `${type}(${largest ? "0xffffffffu" : "0u"})`;
}

/** The combination of two accumulators (names or terms that need no parentheses). */
export function combineText(shader: ShaderBuilder, reduction: Reduction, a: string, b: string, width: Width): string {
  if (reduction.op === "sum") return `${a} + ${b}`;
  if (accumulatorType(reduction) !== "f32") return `${reduction.op}(${a}, ${b})`;
  const operator = reduction.op === "max" ? ">" : "<";
  return `select(${a}, ${b}, (${b} ${operator} ${a}) | ${numericsFunction(shader, "isNaN", width)}(${b}))`;
}

/** Declares the combination of the four lanes of a vec4 and returns its name. */
export function foldLanes(shader: ShaderBuilder, reduction: Reduction, value: string): string {
  const pair = (a: string, b: string) => shader.let("fold", combineText(shader, reduction, a, b, 1));
  return pair(pair(`${value}.x`, `${value}.y`), pair(`${value}.z`, `${value}.w`));
}

/** Declares the combination over the lanes of a subgroup (every lane gets it) and returns its name. */
export function foldSubgroup(shader: ShaderBuilder, reduction: Reduction, value: string, size: number): string {
  if (reduction.op === "sum") return shader.let("fold", `subgroupAdd(${value})`);
  let folded = value;
  for (let distance = size / 2; distance >= 1; distance /= 2) {
    const other = shader.let("other", `subgroupShuffleXor(${folded}, ${distance}u)`);
    folded = shader.let("fold", combineText(shader, reduction, folded, other, 1));
  }
  return folded;
}

/**
 * Declares the combination over a workgroup (lane 0 gets it) and returns its name: subgroups first where they are
 * there, then a tree in workgroup memory.
 */
export function foldWorkgroup(
  shader: ShaderBuilder,
  reduction: Reduction,
  value: string,
  { workgroupSize, subgroupSize, key }: { workgroupSize: number; subgroupSize: number; key: string },
): string {
  const scalar = accumulatorType(reduction);
  const mine = subgroupSize > 1 ? foldSubgroup(shader, reduction, value, subgroupSize) : value;
  const count = subgroupSize > 1 ? workgroupSize / subgroupSize : workgroupSize;
  const shared = `shared_${key}`;
  shader.declare(shared, `var<workgroup> ${shared}: array<${scalar}, ${count}>;`);
  if (subgroupSize > 1) {
    shader.line(`if (lane % ${subgroupSize}u == 0u) { ${shared}[lane / ${subgroupSize}u] = ${mine}; }`);
  } else shader.line(`${shared}[lane] = ${mine};`);
  shader.line("workgroupBarrier();");
  for (let distance = count / 2; distance >= 1; distance /= 2) {
    const combined = combineText(shader, reduction, `${shared}[lane]`, `${shared}[lane + ${distance}u]`, 1);
    shader.line(`if (lane < ${distance}u) { ${shared}[lane] = ${combined}; }`);
    shader.line("workgroupBarrier();");
  }
  const result = shader.let("fold", `${shared}[0]`);
  // nobody may write the memory for the next row before all have read this one
  shader.line("workgroupBarrier();");
  return result;
}

/**
 * Declares the combination over the walkers of a block, whose lanes lie [walker][column]: every lane gets that of its
 * column.
 */
export function foldBlock(
  shader: ShaderBuilder,
  reduction: Reduction,
  value: string,
  { workgroupSize, columns, key }: { workgroupSize: number; columns: number; key: string },
): string {
  const shared = `shared_${key}`;
  shader.declare(shared, `var<workgroup> ${shared}: array<${accumulatorType(reduction)}, ${workgroupSize}>;`);
  shader.line(`${shared}[lane] = ${value};`);
  shader.line("workgroupBarrier();");
  let folded = shader.let("fold", `${shared}[lane % ${columns}u]`);
  for (let walker = 1; walker < workgroupSize / columns; walker++) {
    const other = shader.let("other", `${shared}[lane % ${columns}u + ${walker * columns}u]`);
    folded = shader.let("fold", combineText(shader, reduction, folded, other, 1));
  }
  // nobody may write the memory for the next items before all have read this one
  shader.line("workgroupBarrier();");
  return folded;
}
