/** Convolutions: those of ResNet-18 at batch 8 with both gradients, and the twenty of the demonstration's guide. */
import {
  type Backend,
  type CoreAttrs,
  type CoreName,
  coreOps,
  type OpDefinition,
  Tensor,
  type Variable,
} from "@guidance/tensor";
import { convolution as shared } from "../../peers/data.mjs";
import { type OpWork, timeOp } from "./time-op.ts";

interface Convolution {
  readonly N: number;
  readonly C: number;
  readonly O: number;
  readonly size: number;
  readonly kernel: number;
  readonly stride: number;
}

/** The different ones of ResNet-18 on 224 x 224 images. */
const resnet: readonly Convolution[] = [
  { N: 8, C: 3, O: 64, size: 224, kernel: 7, stride: 2 },
  shared,
  { N: 8, C: 128, O: 128, size: 28, kernel: 3, stride: 1 },
  { N: 8, C: 256, O: 256, size: 14, kernel: 3, stride: 1 },
  { N: 8, C: 512, O: 512, size: 7, kernel: 3, stride: 1 },
  { N: 8, C: 64, O: 128, size: 56, kernel: 3, stride: 2 },
  { N: 8, C: 64, O: 128, size: 56, kernel: 1, stride: 2 },
];

/** Stages of ResNet-18 with base width 16 on 28 x 28 images: channels in and out, size in, stride of the first block. */
const stages = [
  [16, 16, 7, 1],
  [16, 32, 7, 2],
  [32, 64, 4, 2],
  [64, 128, 2, 2],
] as const;

const guide: readonly Convolution[] = [
  { N: 128, C: 1, O: 16, size: 28, kernel: 7, stride: 2 },
  ...stages.flatMap(([C, O, size, stride]) => {
    const same = { N: 128, C: O, O, size: Math.ceil(size / stride), kernel: 3, stride: 1 };
    const shortcut = stride > 1 ? [{ N: 128, C, O, size, kernel: 1, stride }] : [];
    return [{ N: 128, C, O, size, kernel: 3, stride }, ...shortcut, same, same, same];
  }),
];

function geometry({ N, C, O, size, kernel, stride }: Convolution) {
  const padding = (kernel - 1) / 2;
  const out = Math.floor((size + 2 * padding - kernel) / stride) + 1;
  return {
    attrs: { stride: [stride, stride], padding: [padding, padding] } as const,
    x: [N, C, size, size],
    weight: [O, C, kernel, kernel],
    output: [N, O, out, out],
    flops: 2 * N * C * O * out * out * kernel * kernel,
  };
}

function op<Name extends CoreName>(name: Name, attrs: CoreAttrs[Name]) {
  return (...operands: Variable[]): Tensor[] => {
    const definition = coreOps[name] as OpDefinition;
    const inputs = operands.map((operand) => operand.asTensor());
    return [new Tensor(definition, inputs, attrs, definition.infer(inputs, attrs), new Error())];
  };
}

function works(convolution: Convolution): OpWork[] {
  const { C, O, size, kernel, stride } = convolution;
  const { attrs, x, weight, output, flops } = geometry(convolution);
  const name = `conv ${kernel}x${kernel}${stride > 1 ? `/${stride}` : ""} ${C}>${O} @${size}`;
  const inputSize = [size, size] as const;
  const kernelSize = [kernel, kernel] as const;
  return [
    { name, flops, operands: [x, weight], apply: op("conv2d", attrs) },
    {
      name: `${name} input grad`,
      flops,
      operands: [output, weight],
      apply: op("conv2dInputGrad", { ...attrs, inputSize }),
    },
    {
      name: `${name} weight grad`,
      flops,
      operands: [x, output],
      apply: op("conv2dWeightGrad", { ...attrs, kernelSize }),
    },
  ];
}

export async function convolution(backend: Backend) {
  const timings = [];
  for (const work of resnet.flatMap(works)) timings.push(await timeOp(backend, work));
  const all = guide.map(geometry);
  timings.push(
    await timeOp(backend, {
      name: "the guide's 20 convolutions",
      flops: all.reduce((sum, { flops }) => sum + flops, 0),
      operands: all.flatMap(({ x, weight }) => [x, weight]),
      apply: (...operands) => all.flatMap(({ attrs }, i) => op("conv2d", attrs)(operands[2 * i], operands[2 * i + 1])),
    }),
  );
  return timings;
}
