/**
 * The alternatives that tuning may choose from for one kernel, as data: a family, and with `subgroup` the rows of its
 * register tile, e.g. `subgroup-16`. A choice holds for all kernels of one key: the same op over the same sizes.
 */
import {
  type ConvAttrs,
  convInputGradSizes,
  convSizes,
  convWeightGradSizes,
  isOpCore,
  type Kernel,
  matmulSizes,
} from "@guidance/tensor";
import type { DeviceTraits } from "./dispatch.ts";

/** Names the op and sizes of a kernel that has alternatives, e.g. `matmul 1x128x128x784 NT`; undefined for others. */
export function choiceKey({ core }: Kernel): string | undefined {
  if (!isOpCore(core)) return undefined;
  if (core.op === "matmul") {
    const { batch, M, N, K } = matmulSizes(core.operands, core.attrs);
    const { transposeA, transposeB, symmetric } = core.attrs;
    const form = `${transposeA ? "T" : "N"}${transposeB ? "T" : "N"}${symmetric ? " symmetric" : ""}`;
    return `matmul ${batch}x${M}x${N}x${K} ${form}`;
  }
  const convolution = (sizes: object, { stride, padding }: ConvAttrs) =>
    `${core.op} ${Object.entries(sizes)
      .map(([letter, size]) => `${letter}${size}`)
      .join(" ")} /${stride} +${padding}`;
  if (core.op === "conv2d") return convolution(convSizes(core.operands, core.attrs), core.attrs);
  if (core.op === "conv2dInputGrad") return convolution(convInputGradSizes(core.operands, core.attrs), core.attrs);
  if (core.op === "conv2dWeightGrad") return convolution(convWeightGradSizes(core.operands, core.attrs), core.attrs);
  return undefined;
}

/** The alternatives for a kernel with a key. */
export function choicesOf({ core }: Kernel, { subgroupSize }: DeviceTraits): string[] {
  if (core?.op === "conv2dWeightGrad") return subgroupSize > 0 ? ["subgroup", "direct"] : ["direct"];
  const shuffled = subgroupSize >= 4 && subgroupSize <= 64 ? ["subgroup-32", "subgroup-16", "subgroup-8"] : [];
  return [...shuffled, "tiled", "direct"];
}

/** The device's traits with a choice made. */
export function chosenTraits(traits: DeviceTraits, choice: string): DeviceTraits {
  const [family, rows] = choice.split("-");
  return { ...traits, family, ...(rows === undefined ? {} : { tileRows: Number(rows) }) };
}

/** The traits with which a kernel is generated: those of the device, and what tuning chose for it. */
export function traitsFor(kernel: Kernel, traits: DeviceTraits): DeviceTraits {
  if (!traits.choices || traits.choices.size === 0) return traits;
  const key = choiceKey(kernel);
  const choice = key === undefined ? undefined : traits.choices.get(key);
  return choice === undefined ? traits : chosenTraits(traits, choice);
}

/** A short name of a set of choices (FNV-1a over its text): two sets with one name are the same, for all that matters. */
export function choicesName(choices: ReadonlyMap<string, string>): string {
  let hash = 0x811c9dc5;
  for (const character of [...choices].sort().join("\n")) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  }
  return hash.toString(16).padStart(8, "0");
}
