// A network whose layers have given features: image i has its only light at place i, and a Linear layer without bias gives
// column i of its weight for it. So a whole comparison, images and all, can be held against features of a fixture.

import type { ComparedNetwork, ImageSource } from "@guidance/guidance";
import { nn, type Operand, type Tensor } from "@guidance/tensor";

/** Features [n, width] of n samples, row by row. */
export interface Given {
  readonly width: number;
  readonly data: ArrayLike<number>;
}

class GivenFeatures extends nn.Module {
  readonly layers: nn.Sequential;
  readonly #layers: readonly nn.Linear[];
  readonly output: nn.Linear;

  constructor(n: number, features: readonly Given[]) {
    super();
    this.#layers = features.map(({ width, data }) => {
      const layer = new nn.Linear(n, width, { bias: false });
      layer.weight.write(Float64Array.from({ length: width * n }, (_, i) => data[(i % n) * width + Math.floor(i / n)]));
      return layer;
    });
    // what is found in it is a layer of this network; it is never called itself
    this.layers = new nn.Sequential(...this.#layers);
    this.output = new nn.Linear(features.at(-1)!.width, 1);
  }

  forward(x: Operand): Tensor {
    const outputs = this.#layers.map((layer) => layer.call(x.flatten()));
    return this.output.call(outputs.at(-1)!);
  }
}

/** The network whose layers `Linear_0`, `Linear_1`... have these features. */
export function givenFeatures(name: string, n: number, features: readonly Given[]): ComparedNetwork {
  const input = { imageShape: [1, 1, n], normalization: { mean: [0], std: [1] } };
  return { name, model: new GivenFeatures(n, features), input };
}

/** The images that show the features of all samples, always in order. */
export function sampleImages(n: number): ImageSource {
  const common = { name: "samples", channels: 1, height: 1, width: n, classes: 1, mean: [0], std: [1] };
  return {
    ...common,
    count: n,
    hash: "",
    async *batches({ batchSize, lastBatch }) {
      const total = lastBatch === "pad" ? Math.ceil(n / batchSize) : Math.floor(n / batchSize);
      for (let index = 0; index < total; index++) {
        const count = Math.min(batchSize, n - index * batchSize);
        const images = new Uint8Array(batchSize * n);
        for (let i = 0; i < count; i++) images[i * n + index * batchSize + i] = 255;
        const labels = new Int32Array(batchSize);
        yield { index, images, labels, mask: new Float32Array(batchSize).fill(1, 0, count), count };
      }
    },
    close: async () => {},
  };
}
