/**
 * DeepFCN: the student that learns badly alone. A flattened image goes through many equal blocks of
 * Linear, BatchNorm1d, ReLU, Dropout; defaults and `state_dict` names are the original's.
 */
import { type Generator, nn, type Operand, type Tensor } from "@guidance/tensor";

/** Sizes of a DeepFCN; the original notebook's unless given. */
export interface DeepFCNOptions {
  /** Values per image (channels x height x width). */
  readonly inputs?: number;
  /** Width of the first layer. */
  readonly firstWidth?: number;
  /** Width of the middle layers. */
  readonly width?: number;
  /** Number of middle layers; two more Linear layers stand before and after them. */
  readonly middleLayers?: number;
  readonly classes?: number;
  readonly dropout?: number;
  readonly generator?: Generator;
}

/**
 * A plain fully connected network: Linear, BatchNorm1d, ReLU and Dropout, many times over images [N, ...]; gives
 * logits [N, classes].
 */
export class DeepFCN extends nn.Module {
  readonly initial_layer: nn.Sequential;
  readonly intermediate_layers: nn.Sequential;
  readonly output_layer: nn.Sequential;

  constructor({
    inputs = 150528,
    firstWidth = 2048,
    width = 1024,
    middleLayers = 47,
    classes = 1000,
    dropout = 0.1,
    generator,
  }: DeepFCNOptions = {}) {
    super();
    const options = generator ? { generator } : {};
    const block = (from: number, to: number) =>
      new nn.Sequential(
        new nn.Linear(from, to, options),
        new nn.BatchNorm1d(to),
        new nn.ReLU(),
        new nn.Dropout(dropout, options),
      );
    this.initial_layer = block(inputs, firstWidth);
    this.intermediate_layers = new nn.Sequential(
      ...Array.from({ length: middleLayers }, (_, i) => block(i === 0 ? firstWidth : width, width)),
    );
    this.output_layer = new nn.Sequential(new nn.Linear(middleLayers > 0 ? width : firstWidth, classes, options));
  }

  /** x [N, ...] to logits [N, classes]. */
  forward(x: Operand): Tensor {
    const first = this.initial_layer.call(x.flatten());
    return this.output_layer.call(this.intermediate_layers.call(first));
  }
}
