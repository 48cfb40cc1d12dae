// A student of one's own: a residual network of fully connected layers, whose blocks add to their input instead of replacing
// it.
//
// A student is any nn.Module that takes images [N, channels, height, width] and gives logits [N, classes]. The guide's
// layers steer its Linear and Conv2d layers, in the order in which they are called.

import { students } from "@guidance/guidance";
import { nn, type Operand, type Tensor } from "@guidance/tensor";

/** x + W relu(norm(x)) */
class Block extends nn.Module {
  readonly norm: nn.BatchNorm1d;
  readonly linear: nn.Linear;

  constructor(width: number) {
    super();
    this.norm = new nn.BatchNorm1d(width);
    this.linear = new nn.Linear(width, width);
  }

  forward(x: Operand): Tensor {
    return this.linear.call(this.norm.call(x).relu()).add(x);
  }
}

class ResidualMLP extends nn.Module {
  readonly input: nn.Linear;
  readonly blocks: nn.Sequential;
  readonly output: nn.Linear;

  constructor(inputs: number, width: number, blocks: number, classes: number) {
    super();
    this.input = new nn.Linear(inputs, width);
    this.blocks = new nn.Sequential(...Array.from({ length: blocks }, () => new Block(width)));
    this.output = new nn.Linear(width, classes);
  }

  forward(images: Operand): Tensor {
    return this.output.call(this.blocks.call(this.input.call(images.flatten())).relu());
  }
}

// --layers and --width arrive as settings; layers count the first and the last
students.register(
  "residual-mlp",
  ({ channels, height, width, classes }, settings) =>
    new ResidualMLP(channels * height * width, settings.width, settings.layers - 2, classes),
);
