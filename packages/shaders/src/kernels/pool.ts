/**
 * Max pooling: `maxPool2dIndex` finds the winner of each window, `poolGather` reads values at the winners and
 * `poolScatter` adds values back to them, as a gather: each input pixel visits the windows that cover it, so no two
 * threads write to one place.
 *
 * Letters: N batch, C channels, H W input size, P Q pooled size; a plane is one channel of one image.
 */
import type { PoolAttrs, TensorType } from "@guidance/tensor";
import type { Box } from "../windows.ts";
import type { ShaderBuilder } from "./builder.ts";
import { coreOperand } from "./conv2d-windows.ts";
import type { KernelGenerator } from "./dispatch.ts";
import { walkResults } from "./pool-walk.ts";
import type { StorageBinding } from "./storage.ts";
import { valueScalar, valueType } from "./wgsl.ts";

const IS_NAN = `
fn isNaN(value: f32) -> bool {
  // on the bits: compilers fold value != value
  return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}`.trim();

/** [height, width] of the planes of an image tensor. */
function planeOf({ shape }: TensorType): [number, number] {
  return [shape[2], shape[3]];
}

export const generateMaxPool2dIndex: KernelGenerator = (kernel, overwrites, traits) => {
  if (kernel.core?.op !== "maxPool2dIndex") throw new Error(`${kernel.label} is no maxPool2dIndex`);
  const { attrs, operands, result } = kernel.core;
  const [H, W] = planeOf(operands[0]);
  const C = result.shape[1];
  return walkResults(kernel, overwrites, traits, {
    sizes: result.shape,
    granularity: BETWEEN_PLANES,
    operands: coreOperand(kernel, traits, 0, planeRange(C, H * W)),
    value(shader, [n, c, p, q]) {
      const plane = emitPlane(shader, n, c, C);
      const x = shader.input(0);
      const start = shader.let(
        "start",
        `${plane} * ${shader.param("inputPlane", "u32", H * W)} + ${originOf(shader, x, 0)}`,
      );
      const rows = emitWindow(shader, p, 0, attrs, H);
      const columns = emitWindow(shader, q, 1, attrs, W);
      const width = shader.param("inputWidth", "u32", W);
      const best = shader.var("best", "-1");
      const leader = shader.var("leader", `${valueType(x.dtype, 1)}(0)`);
      shader.block(`for (var h = ${rows.first}; h < ${rows.end}; h++)`, () => {
        shader.block(`for (var w = ${columns.first}; w < ${columns.end}; w++)`, () => {
          const at = shader.let("at", `h * ${width} + w`);
          const value = shader.let("value", x.load(`${start} + ${at}`));
          // the first maximum wins, and a NaN wins over any number
          let wins = `${best} < 0 || ${value} > ${leader}`;
          if (valueScalar(x.dtype) === "f32") {
            shader.declare("isNaN", IS_NAN);
            wins += ` || (isNaN(${value}) && !isNaN(${leader}))`;
          }
          shader.block(`if (${wins})`, () => {
            shader.line(`${best} = i32(${at});`);
            shader.line(`${leader} = ${value};`);
          });
        });
      });
      return best;
    },
  });
};

export const generatePoolGather: KernelGenerator = (kernel, overwrites, traits) => {
  if (kernel.core?.op !== "poolGather") throw new Error(`${kernel.label} is no poolGather`);
  const { operands, result } = kernel.core;
  const [H, W] = planeOf(operands[0]);
  const [P, Q] = planeOf(result);
  const C = result.shape[1];
  return walkResults(kernel, overwrites, traits, {
    sizes: result.shape,
    granularity: BETWEEN_PLANES,
    operands: [
      ...coreOperand(kernel, traits, 0, planeRange(C, H * W)),
      ...coreOperand(kernel, traits, 1, planeRange(C, P * Q)),
    ],
    value(shader, [n, c, p, q]) {
      const plane = emitPlane(shader, n, c, C);
      const [x, index] = [shader.input(0), shader.input(1)];
      const pooled = `(${plane} * ${shader.param("pooledRows", "u32", P)} + ${p}) * ${shader.param("pooledWidth", "u32", Q)} + ${q}`;
      const winner = shader.let("winner", `u32(${index.load(`${pooled} + ${originOf(shader, index, 1)}`)})`);
      const start = `${plane} * ${shader.param("inputPlane", "u32", H * W)} + ${originOf(shader, x, 0)}`;
      return shader.let("value", x.load(`${start} + ${winner}`));
    },
  });
};

export const generatePoolScatter: KernelGenerator = (kernel, overwrites, traits) => {
  if (kernel.core?.op !== "poolScatter") throw new Error(`${kernel.label} is no poolScatter`);
  const { attrs, operands, result } = kernel.core;
  const [P, Q] = planeOf(operands[0]);
  const [, W] = planeOf(result);
  const C = result.shape[1];
  return walkResults(kernel, overwrites, traits, {
    sizes: result.shape,
    granularity: BETWEEN_PLANES,
    operands: [0, 1].flatMap((operand) => coreOperand(kernel, traits, operand, planeRange(C, P * Q))),
    value(shader, [n, c, h, w]) {
      const plane = emitPlane(shader, n, c, C);
      const [values, index] = [shader.input(0), shader.input(1)];
      const width = shader.param("pooledWidth", "u32", Q);
      const plane0 = shader.let("pooled", `${plane} * ${shader.param("pooledPlane", "u32", P * Q)}`);
      const own = shader.let("own", `i32(${h} * ${shader.param("inputWidth", "u32", W)} + ${w})`);
      const rows = emitCovering(shader, h, 0, attrs, P);
      const columns = emitCovering(shader, w, 1, attrs, Q);
      const sum = shader.var("sum", `${valueType(values.dtype, 1)}(0)`);
      shader.block(`for (var p = ${rows.first}; p < ${rows.end}; p++)`, () => {
        shader.block(`for (var q = ${columns.first}; q < ${columns.end}; q++)`, () => {
          const at = shader.let("at", `${plane0} + p * ${width} + q`);
          const chosen = `${index.load(`${at} + ${originOf(shader, index, 1)}`)} == ${own}`;
          shader.block(`if (${chosen})`, () =>
            shader.line(`${sum} += ${values.load(`${at} + ${originOf(shader, values, 0)}`)};`),
          );
        });
      });
      return sum;
    },
  });
};

/** Results are cut into whole planes. */
const BETWEEN_PLANES = [1, 1, 0, 0];

/** Elements that the planes of a box [N, C, ...] touch, of `size` elements each. */
function planeRange(C: number, size: number) {
  return ({ start: [n, c], size: [images, channels] }: Box) => ({
    start: (n * C + c) * size,
    end: ((n + images - 1) * C + c + channels) * size,
  });
}

function emitPlane(shader: ShaderBuilder, n: string, c: string, C: number): string {
  return shader.let("plane", `${n} * ${shader.param("channels", "u32", C)} + ${c}`);
}

/** What to add to an element of the whole operand to find it in its window. */
function originOf(shader: ShaderBuilder, binding: StorageBinding, operand: number): string {
  return shader.param(`operandStart${operand}`, "u32", -binding.origin);
}

/** [first, end) of the input coordinates under the window at pooled coordinate `at`, as u32 names. */
function emitWindow(
  shader: ShaderBuilder,
  at: string,
  axis: 0 | 1,
  { kernelSize, stride, padding }: PoolAttrs,
  size: number,
) {
  const begin = shader.let(
    "begin",
    `i32(${at}) * ${shader.param(`stride${axis}`, "i32", stride[axis])} - ${shader.param(`padding${axis}`, "i32", padding[axis])}`,
  );
  const first = shader.let("first", `u32(max(${begin}, 0))`);
  const end = shader.let(
    "end",
    `u32(min(${begin} + ${shader.param(`kernel${axis}`, "i32", kernelSize[axis])}, ${shader.param(`inputSize${axis}`, "i32", size)}))`,
  );
  return { first, end };
}

/** [first, end) of the pooled coordinates whose windows cover input coordinate `at`, as u32 names. */
function emitCovering(
  shader: ShaderBuilder,
  at: string,
  axis: 0 | 1,
  { kernelSize, stride, padding }: PoolAttrs,
  size: number,
) {
  const padded = shader.let("padded", `${at} + ${shader.param(`padding${axis}`, "u32", padding[axis])}`);
  const by = shader.param(`stride${axis}`, "u32", stride[axis]);
  const kernel = shader.param(`kernel${axis}`, "u32", kernelSize[axis]);
  // windows begin at multiples of the stride: the first begins after padded - kernel, the last at or before padded
  const first = shader.let("first", `select(0u, (${padded} - ${kernel}) / ${by} + 1u, ${padded} >= ${kernel})`);
  const end = shader.let("end", `min(${padded} / ${by} + 1u, ${shader.param(`pooledSize${axis}`, "u32", size)})`);
  return { first, end };
}
