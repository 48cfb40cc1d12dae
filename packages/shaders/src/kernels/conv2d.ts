/**
 * conv2d and conv2dInputGrad as dispatches: one per class of pixels (see conv2d-correlation.ts) and binding window.
 * Windows cut the batch first, then the result's channels; where a weight must be cut along the channels that are
 * summed, bare sums gather in scratch and a second stage runs the epilogue.
 *
 * An infinite weight over the zeros of the padding gives NaN, as it does in a library that pads with real zeros.
 */
import { elementCount, type Kernel } from "@guidance/tensor";
import { type Box, fitsWhole, splitSpace } from "../windows.ts";
import { ShaderBuilder } from "./builder.ts";
import { type Correlation, forwardCorrelation, inputGradCorrelations, phasedInputGrad } from "./conv2d-correlation.ts";
import { writeDirect } from "./conv2d-direct.ts";
import { convSizesOf } from "./conv2d-sizes.ts";
import { writeSubgroup } from "./conv2d-subgroup.ts";
import { chooseShape } from "./conv2d-subgroup-tile.ts";
import type { CorrelationPart, CorrelationWriter } from "./conv2d-tile.ts";
import { writeTiled } from "./conv2d-tiled.ts";
import {
  coreOperand,
  epilogueOperands,
  expandDomain,
  type KernelOperand,
  scratchOperand,
  setWindows,
} from "./conv2d-windows.ts";
import type { DeviceTraits, GeneratedKernel, KernelGenerator } from "./dispatch.ts";
import { finishPartialSums } from "./partial-sums.ts";

export const generateConv2d: KernelGenerator = (kernel, overwrites, traits) => {
  if (kernel.core?.op !== "conv2d") throw new Error(`${kernel.label} is no conv2d`);
  const correlation = forwardCorrelation(convSizesOf(kernel.core), kernel.core.attrs);
  return generateCorrelations(kernel, overwrites, traits, [correlation]);
};

export const generateConv2dInputGrad: KernelGenerator = (kernel, overwrites, traits) => {
  if (kernel.core?.op !== "conv2dInputGrad") throw new Error(`${kernel.label} is no conv2dInputGrad`);
  const sizes = convSizesOf(kernel.core);
  const phased = phasedInputGrad(sizes, kernel.core.attrs);
  const correlations = fillsTile(kernel, phased, traits) ? [phased] : inputGradCorrelations(sizes, kernel.core.attrs);
  return generateCorrelations(kernel, overwrites, traits, correlations);
};

/** Whether all phases of an input gradient together fill one tile of the family that can compute them. */
function fillsTile({ inputs, outputs }: Kernel, phased: Correlation, traits: DeviceTraits): boolean {
  const { count, channels } = phased.phases ?? { count: 1, channels: 0 };
  return (
    count > 1 &&
    channels > 0 &&
    phased.rows <= MOST_PHASED_ROWS &&
    chooseFamily(traits) === "subgroup" &&
    chooseShape(phased) !== "channel" &&
    [...inputs, ...outputs.map(({ type }) => type)].every(({ shape, dtype }) =>
      fitsWhole(elementCount(shape), dtype, traits),
    )
  );
}

/** Rows of the largest tile of paired runs. */
const MOST_PHASED_ROWS = 16;

/** Kernel families of the forward convolution and the input gradient. */
type ConvFamily = "subgroup" | "tiled" | "direct";

const writers: { readonly [Family in ConvFamily]: CorrelationWriter } = {
  subgroup: writeSubgroup,
  tiled: writeTiled,
  direct: writeDirect,
};

function chooseFamily({ subgroupSize, software, family }: DeviceTraits): ConvFamily {
  if (family === "direct" || family === "tiled") return family;
  if (subgroupSize > 0 && (software || family === "subgroup")) return "subgroup";
  // workgroup memory pays on GPUs, and costs more than it saves on CPUs
  return software ? "direct" : "tiled";
}

function generateCorrelations(
  given: Kernel,
  overwrites: readonly (number | undefined)[],
  traits: DeviceTraits,
  correlations: readonly Correlation[],
): GeneratedKernel {
  const family = chooseFamily(traits);
  if (elementCount(given.domain) === 0) return { dispatches: [], scratch: [], family };
  const { images, rows, depth, plane, phases } = correlations[0];
  const sizes = [images, phases?.channels ?? rows, ...plane];
  const count = elementCount(sizes);
  const kernel = expandDomain(given, sizes);
  const inDomain = ({ start, size }: Box): Box =>
    kernel.domain === sizes
      ? { start: [start[0], start[1], 0, 0], size: [size[0], size[1], ...plane] }
      : { start: kernel.domain.map(() => 0), size: kernel.domain };
  // boxes of [images, rows, depth]
  const core = coreOperands(kernel, traits, correlations[0]);
  const direct = [...core, ...epilogueOperands(kernel, traits, inDomain)];
  // an operand without channels is summed over nothing: one step of depth keeps the box
  const space = [images, rows, Math.max(1, depth)];
  let operands: readonly KernelOperand[] = direct;
  let boxes = splitSpace(space, operands, traits, { label: kernel.label });
  const inParts = boxes.some(({ size }) => size[2] < space[2]);
  if (inParts) {
    const strides = [rows * plane[0] * plane[1], plane[0] * plane[1]];
    const range = ({ start, size }: Box) => ({
      start: start[0] * strides[0] + start[1] * strides[1],
      end: (start[0] + size[0] - 1) * strides[0] + (start[1] + size[1]) * strides[1],
    });
    operands = [...core, ...scratchOperand(count, traits, range)];
    boxes = splitSpace(space, operands, traits, { label: kernel.label });
  }
  const dispatches = boxes.flatMap((box) =>
    correlations.map((correlation) => {
      const shader = new ShaderBuilder(kernel, overwrites, traits);
      setWindows(shader, operands, box);
      const range = (axis: number): [number, number] => [
        box.start[axis],
        Math.min(space[axis], box.start[axis] + box.size[axis]),
      ];
      const part: CorrelationPart = {
        correlation,
        images: range(0),
        rows: range(1),
        depth: depth === 0 ? [0, 0] : range(2),
        scratch: inParts ? (box.start[2] > 0 ? "add" : "write") : undefined,
      };
      return writers[family](shader, part);
    }),
  );
  if (!inParts) return { dispatches, scratch: [], family };
  return {
    dispatches: [...dispatches, ...finishPartialSums(kernel, overwrites, traits, 1)],
    scratch: [4 * count],
    family,
  };
}

/** Image and weight, where they need windows: image planes by image, the weight by rows and depth with all its taps. */
function coreOperands(kernel: Kernel, traits: DeviceTraits, { image, depth, weight }: Correlation): KernelOperand[] {
  const plane = image[0] * image[1];
  const taps = Math.min(weight.row, weight.depth);
  return [
    ...coreOperand(kernel, traits, 0, ({ start, size }) => ({
      start: (start[0] * depth + start[2]) * plane,
      end: ((start[0] + size[0] - 1) * depth + start[2] + size[2]) * plane,
    })),
    ...coreOperand(kernel, traits, 1, ({ start, size }) => ({
      start: start[1] * weight.row + start[2] * weight.depth,
      end: (start[1] + size[1] - 1) * weight.row + (start[2] + size[2] - 1) * weight.depth + taps,
    })),
  ];
}
