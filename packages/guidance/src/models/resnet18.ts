/**
 * ResNet-18 (He et al. 2016) in torchvision's layout and initialization: the guide. Base width, input
 * channels, stem and classes are settable, so that small images get a small guide.
 */
import { type Generator, nn, type Operand, type Tensor, Variable } from "@guidance/tensor";

/** Sizes of a ResNet18; those of torchvision unless given. */
export interface ResNet18Options {
  readonly classes?: number;
  readonly channels?: number;
  /** Channels of the first stage; the others have 2, 4 and 8 times as many. */
  readonly baseWidth?: number;
  /** First convolution: kernel size and stride, and whether a 3x3 / 2 max pool follows. */
  readonly stem?: { readonly kernelSize: number; readonly stride: number; readonly pool: boolean };
  readonly generator?: Generator;
}

interface ConvOptions {
  readonly stride?: number;
  readonly generator: Generator | undefined;
}

/** A convolution without bias, padded to keep the size; normal initial values of variance 2 / (O R S). */
function convolution(
  inputs: number,
  outputs: number,
  kernelSize: number,
  { stride = 1, generator }: ConvOptions,
): nn.Conv2d {
  const shape = [outputs, inputs, kernelSize, kernelSize];
  const initial = nn.normalInitial(shape, Math.sqrt(2 / (outputs * kernelSize * kernelSize)), generator);
  return new nn.Conv2d(inputs, outputs, kernelSize, {
    stride,
    padding: (kernelSize - 1) / 2,
    bias: false,
    weight: new Variable(shape, initial),
  });
}

/** Two 3x3 convolutions and a shortcut. */
export class BasicBlock extends nn.Module {
  readonly conv1: nn.Conv2d;
  readonly bn1: nn.BatchNorm2d;
  readonly relu = new nn.ReLU();
  readonly conv2: nn.Conv2d;
  readonly bn2: nn.BatchNorm2d;
  readonly downsample: nn.Sequential | undefined;

  constructor(inputs: number, outputs: number, stride: number, generator?: Generator) {
    super();
    this.conv1 = convolution(inputs, outputs, 3, { stride, generator });
    this.bn1 = new nn.BatchNorm2d(outputs);
    this.conv2 = convolution(outputs, outputs, 3, { generator });
    this.bn2 = new nn.BatchNorm2d(outputs);
    if (stride !== 1 || inputs !== outputs) {
      this.downsample = new nn.Sequential(
        convolution(inputs, outputs, 1, { stride, generator }),
        new nn.BatchNorm2d(outputs),
      );
    }
  }

  /** relu(x + bn2(conv2(relu(bn1(conv1(x)))))), x through the downsampling shortcut where shapes differ. */
  forward(x: Operand): Tensor {
    const inner = this.relu.call(this.bn1.call(this.conv1.call(x)));
    const output = this.bn2.call(this.conv2.call(inner));
    const shortcut = this.downsample ? this.downsample.call(x) : x;
    return this.relu.call(output.add(shortcut));
  }
}

/**
 * ResNet-18 with the parameter names of torchvision (He et al. 2016): images [N, channels, height, width] to logits
 * [N, classes].
 */
export class ResNet18 extends nn.Module {
  readonly conv1: nn.Conv2d;
  readonly bn1: nn.BatchNorm2d;
  readonly relu = new nn.ReLU();
  readonly maxpool: nn.MaxPool2d | undefined;
  readonly layer1: nn.Sequential;
  readonly layer2: nn.Sequential;
  readonly layer3: nn.Sequential;
  readonly layer4: nn.Sequential;
  readonly avgpool = new nn.AdaptiveAvgPool2d(1);
  readonly fc: nn.Linear;

  constructor({
    classes = 1000,
    channels = 3,
    baseWidth = 64,
    stem = { kernelSize: 7, stride: 2, pool: true },
    generator,
  }: ResNet18Options = {}) {
    super();
    this.conv1 = convolution(channels, baseWidth, stem.kernelSize, { stride: stem.stride, generator });
    this.bn1 = new nn.BatchNorm2d(baseWidth);
    if (stem.pool) this.maxpool = new nn.MaxPool2d(3, { stride: 2, padding: 1 });
    const stage = (inputs: number, outputs: number, stride: number) =>
      new nn.Sequential(
        new BasicBlock(inputs, outputs, stride, generator),
        new BasicBlock(outputs, outputs, 1, generator),
      );
    this.layer1 = stage(baseWidth, baseWidth, 1);
    this.layer2 = stage(baseWidth, 2 * baseWidth, 2);
    this.layer3 = stage(2 * baseWidth, 4 * baseWidth, 2);
    this.layer4 = stage(4 * baseWidth, 8 * baseWidth, 2);
    this.fc = new nn.Linear(8 * baseWidth, classes, generator ? { generator } : {});
  }

  /** x [N,C,H,W] to logits [N, classes]. */
  forward(x: Operand): Tensor {
    const stem = this.relu.call(this.bn1.call(this.conv1.call(x)));
    const pooled = this.maxpool ? this.maxpool.call(stem) : stem;
    const maps = [this.layer1, this.layer2, this.layer3, this.layer4].reduce(
      (value, layer) => layer.call(value),
      pooled,
    );
    return this.fc.call(this.avgpool.call(maps).flatten());
  }
}
