/**
 * conv2dWeightGrad: dweight[o, c, r, s] = sum over n, p, q of grad[n, o, p, q] * x[n, c, p stride + r - padding, ...].
 *
 * As a matrix product its rows are output channels, its columns (tap, c), and the sum runs over the pixels of the whole
 * batch: a small result with long sums. So the pixels are split among workgroups as well; each split writes bare sums
 * to its slice of scratch, and a second stage adds the slices in order (see partial-sums.ts). Binding windows cut the
 * batch (later windows add to the slices of earlier ones) and the output channels.
 */
import { type ConvAttrs, type ConvSizes, elementCount } from "@guidance/tensor";
import { type Box, splitSpace } from "../windows.ts";
import { epilogueSpace, planLoads } from "./body.ts";
import { ShaderBuilder } from "./builder.ts";
import { convSizesOf } from "./conv2d-sizes.ts";
import { writeWeightGradDirect } from "./conv2d-weight-grad-direct.ts";
import type { WeightGradPart } from "./conv2d-weight-grad-part.ts";
import { writeWeightGradSubgroup } from "./conv2d-weight-grad-subgroup.ts";
import { coreOperand, epilogueOperands, expandDomain, scratchOperand, setWindows } from "./conv2d-windows.ts";
import type { DeviceTraits, KernelGenerator } from "./dispatch.ts";
import { finishPartialSums } from "./partial-sums.ts";

/** Results of a workgroup of either family, in the middle of the sizes they choose. */
const RESULTS_PER_GROUP = 512;
/** Workgroups that keep all cores of a software adapter, or all multiprocessors of a GPU, busy. */
const BUSY_GROUPS = { software: 16, hardware: 1024 };
/** Fewer pixels than this are not worth a split of their own: its partial sums would cost as much. */
const SMALLEST_SPLIT = 256;
/** The second stage reads every slice: more would make it the longer one. */
const MOST_SPLITS = 32;

export const generateConv2dWeightGrad: KernelGenerator = (given, overwrites, traits) => {
  if (given.core?.op !== "conv2dWeightGrad") throw new Error(`${given.label} is no conv2dWeightGrad`);
  const family = traits.subgroupSize > 0 && traits.family !== "direct" ? "subgroup" : "direct";
  const sizes = convSizesOf(given.core);
  const { N, C, O, H, W, P, Q, R, S } = sizes;
  const count = elementCount(given.domain);
  if (count === 0) return { dispatches: [], scratch: [], family };
  const kernel = expandDomain(given, [O, C, R, S]);
  const row = C * R * S;
  const core = [
    ...coreOperand(kernel, traits, 0, ({ start, size }) => ({
      start: start[0] * C * H * W,
      end: (start[0] + size[0]) * C * H * W,
    })),
    ...coreOperand(kernel, traits, 1, ({ start, size }) => ({
      start: (start[0] * O + start[1]) * P * Q,
      end: ((start[0] + size[0] - 1) * O + start[1] + size[1]) * P * Q,
    })),
  ];
  const inDomain = ({ start, size }: Box): Box =>
    kernel === given
      ? { start: kernel.domain.map(() => 0), size: kernel.domain }
      : { start: [start[1], 0, 0, 0], size: [size[1], C, R, S] };
  // boxes of [images, output channels]; an empty batch still has a result: 0
  const space = [Math.max(1, N), O];
  const options = { label: kernel.label };
  const epilogue = epilogueOperands(kernel, traits, inDomain);
  const whole = splitSpace(space, [...core, ...epilogue], traits, options);
  const splits = chooseSplits(sizes, traits);
  const direct = splits === 1 && whole.every(({ size }) => size[0] === space[0]);
  const sums = scratchOperand(count, traits, ({ start, size }) => ({
    start: start[1] * row,
    end: (start[1] + size[1]) * row,
  }));
  const operands = [...core, ...(direct ? epilogue : sums)];
  const boxes = direct ? whole : splitSpace(space, operands, traits, options);
  const write = family === "subgroup" ? writeWeightGradSubgroup : writeWeightGradDirect;
  const attrs: ConvAttrs = given.core.attrs;
  const dispatches = boxes.map((box) => {
    const shader = new ShaderBuilder(kernel, overwrites, traits);
    setWindows(shader, operands, box);
    if (direct) planLoads(shader, [epilogueSpace(kernel, 1)]);
    const part: WeightGradPart = {
      sizes,
      attrs,
      images: [box.start[0], Math.min(N, box.start[0] + box.size[0])],
      rows: [box.start[1], box.start[1] + box.size[1]],
      splits,
      scratch: direct ? undefined : box.start[0] > 0 ? "add" : "write",
    };
    return write(shader, part);
  });
  if (direct) return { dispatches, scratch: [], family };
  return {
    dispatches: [...dispatches, ...finishPartialSums(kernel, overwrites, traits, splits)],
    scratch: [4 * splits * count],
    family,
  };
};

/** Into how many parts the pixels are split: a power of two, so that few second stages are compiled. */
export function chooseSplits({ N, C, O, P, Q, R, S }: ConvSizes, { software, maxBindingBytes }: DeviceTraits): number {
  const count = O * C * R * S;
  const groups = Math.ceil(count / RESULTS_PER_GROUP);
  const busy = software ? BUSY_GROUPS.software : BUSY_GROUPS.hardware;
  let splits = 1;
  while (
    splits < MOST_SPLITS &&
    splits * groups < busy &&
    (N * P * Q) / (2 * splits) >= SMALLEST_SPLIT &&
    // all slices share one binding
    2 * splits * count * 4 <= maxBindingBytes
  ) {
    splits *= 2;
  }
  return splits;
}
