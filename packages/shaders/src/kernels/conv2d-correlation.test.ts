/** The correlation form of the convolutions, evaluated with plain loops, against the ops' references. */
import { type ConvSizes, convSizes, coreOps, elementCount, type TensorType } from "@guidance/tensor";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { coreKernel, noise } from "./conv2d.test.support.ts";
import { generateConv2d } from "./conv2d.ts";
import { type Correlation, forwardCorrelation, inputGradCorrelations } from "./conv2d-correlation.ts";
import { generateConv2dWeightGrad } from "./conv2d-weight-grad.ts";
import type { DeviceTraits, KernelGenerator } from "./dispatch.ts";

const f32 = (shape: readonly number[]): TensorType => ({ shape, dtype: "f32" });

/** Adds the correlation's results to `output`, as the shaders do it. */
function evaluate(correlation: Correlation, image: Float32Array, weight: Float32Array, output: Float64Array): void {
  const { images, rows, depth, taps, grid, stride, step, origin, weight: view, plane, spread, shift } = correlation;
  const [height, width] = correlation.image;
  for (let n = 0; n < images; n++) {
    for (let m = 0; m < rows; m++) {
      for (let y = 0; y < grid[0]; y++) {
        for (let x = 0; x < grid[1]; x++) {
          let sum = 0;
          for (let k = 0; k < depth; k++) {
            for (let t = 0; t < taps[0]; t++) {
              for (let u = 0; u < taps[1]; u++) {
                const h = y * stride[0] + step * t + origin[0];
                const w = x * stride[1] + step * u + origin[1];
                if (h < 0 || w < 0 || h >= height || w >= width) continue;
                const at = view.offset + m * view.row + k * view.depth + t * view.tapRow + u * view.tapColumn;
                sum += weight[at] * image[((n * depth + k) * height + h) * width + w];
              }
            }
          }
          const [h, w] = [y * spread[0] + shift[0], x * spread[1] + shift[1]];
          output[((n * rows + m) * plane[0] + h) * plane[1] + w] += sum;
        }
      }
    }
  }
}

const small = fc.integer({ min: 1, max: 4 });
const pair = (max: number) => fc.tuple(fc.integer({ min: 1, max }), fc.integer({ min: 1, max }));
const convolutions = fc.record({
  N: fc.integer({ min: 1, max: 2 }),
  C: small,
  O: small,
  kernel: pair(5),
  stride: pair(3),
  padding: pair(4).map(([a, b]): [number, number] => [a - 1, b - 1]),
  extra: pair(6),
});

describe("correlation", () => {
  test("forward and input gradient equal the references", () => {
    fc.assert(
      fc.property(convolutions, ({ N, C, O, kernel, stride, padding, extra }) => {
        const size = (axis: 0 | 1) => Math.max(1, kernel[axis] - 2 * padding[axis]) + extra[axis] - 1;
        const x = f32([N, C, size(0), size(1)]);
        const weight = f32([O, C, ...kernel]);
        const attrs = { stride, padding };
        const sizes: ConvSizes = convSizes([x, weight], attrs);
        const out = f32([N, O, sizes.P, sizes.Q]);
        const [xs, weights, grads] = [x, weight, out].map(({ shape }, i) => noise(elementCount(shape), i));

        const forward = new Float64Array(grads.length);
        coreOps.conv2d.reference([xs, weights], [x, weight], attrs, forward);
        const ours = new Float64Array(grads.length);
        evaluate(forwardCorrelation(sizes, attrs), xs, weights, ours);
        ours.forEach((value, i) => {
          expect(value).toBeCloseTo(forward[i], 9);
        });

        const backward = new Float64Array(xs.length);
        const gradAttrs = { ...attrs, inputSize: [sizes.H, sizes.W] as const };
        coreOps.conv2dInputGrad.reference([grads, weights], [out, weight], gradAttrs, backward);
        const oursBack = new Float64Array(xs.length);
        for (const correlation of inputGradCorrelations(sizes, attrs)) evaluate(correlation, grads, weights, oursBack);
        oursBack.forEach((value, i) => {
          expect(value).toBeCloseTo(backward[i], 9);
        });
      }),
    );
  });

  test("taps that only meet padding are dropped", () => {
    const sizes: ConvSizes = { N: 2, C: 3, O: 4, H: 1, W: 1, P: 1, Q: 1, R: 3, S: 3 };
    const correlation = forwardCorrelation(sizes, { stride: [1, 1], padding: [1, 1] });
    expect(correlation.taps).toEqual([1, 1]);
    expect(correlation.weight.offset).toBe(4);
    expect(correlation.origin).toEqual([0, 0]);
  });

  test("a stride splits the input gradient into classes that share out the taps", () => {
    const sizes: ConvSizes = { N: 1, C: 1, O: 1, H: 28, W: 28, P: 14, Q: 14, R: 7, S: 7 };
    const classes = inputGradCorrelations(sizes, { stride: [2, 2], padding: [3, 3] });
    expect(classes.map(({ taps }) => taps)).toEqual([
      [3, 3],
      [3, 4],
      [4, 3],
      [4, 4],
    ]);
  });
});

describe("pipelines", () => {
  const traits: DeviceTraits = {
    subgroupSize: 8,
    software: true,
    maxBindingBytes: 2 ** 27,
    offsetAlignment: 256,
    maxWorkgroupsPerDimension: 65535,
  };
  const shaders = (generate: KernelGenerator, kernel: Parameters<KernelGenerator>[0], family: string) =>
    generate(kernel, [undefined], { ...traits, family }).dispatches.map(({ shader }) => shader);

  test.each(["direct", "subgroup", "tiled"])("%s: layers of other sizes share one shader", (family) => {
    const layer = (C: number, O: number, size: number) =>
      coreKernel("conv2d", { stride: [1, 1], padding: [1, 1] }, [f32([64, C, size, size]), f32([O, C, 3, 3])]);
    expect(shaders(generateConv2d, layer(64, 64, 16), family)).toEqual(
      shaders(generateConv2d, layer(32, 96, 28), family),
    );
  });

  test.each(["direct", "subgroup"])("%s: weight gradients of other sizes share one shader", (family) => {
    const layer = (C: number, O: number, size: number) => {
      const attrs = { stride: [1, 1], padding: [1, 1], kernelSize: [3, 3] } as const;
      return coreKernel("conv2dWeightGrad", attrs, [f32([64, C, size, size]), f32([64, O, size, size])]);
    };
    const all = (...layers: ReturnType<typeof layer>[]) =>
      new Set(layers.flatMap((kernel) => shaders(generateConv2dWeightGrad, kernel, family))).size;
    expect(all(layer(128, 64, 16), layer(96, 128, 8))).toBe(1);
  });

  test("an empty result needs no dispatch", () => {
    const kernel = coreKernel("conv2d", { stride: [1, 1], padding: [0, 0] }, [f32([0, 2, 5, 5]), f32([3, 2, 3, 3])]);
    expect(generateConv2d(kernel, [undefined], traits).dispatches).toEqual([]);
  });

  test("no grid is wider than the device allows", () => {
    const kernel = coreKernel("conv2d", { stride: [1, 1], padding: [0, 0] }, [
      f32([3, 1, 900, 900]),
      f32([3, 1, 1, 1]),
    ]);
    for (const family of ["direct", "subgroup", "tiled"]) {
      const narrow = { ...traits, family, maxWorkgroupsPerDimension: 100 };
      for (const { workgroups } of generateConv2d(kernel, [undefined], narrow).dispatches) {
        expect(workgroups[0]).toBeLessThanOrEqual(100);
        expect(workgroups[0] * workgroups[1]).toBeGreaterThan(100);
      }
    }
  });
});
