// What authors of plugins get wrong shows in their editor: each line below a `@ts-expect-error` must fail to compile, or
// `pnpm types` fails. The compiler is the whole check: nothing here runs.

import { datasets, guides, similarities, students, syntheticDataset, transforms } from "@guidance/guidance";
import { linearCka, nn, type Operand, type Tensor } from "@guidance/tensor";

class Mine extends nn.Module {
  readonly layer: nn.Linear;
  constructor(inputs: number, classes: number) {
    super();
    this.layer = new nn.Linear(inputs, classes);
  }
  forward(x: Operand): Tensor {
    return this.layer.call(x.flatten());
  }
}

export function right(): void {
  students.register("mine", ({ channels, height, width, classes }) => new Mine(channels * height * width, classes));
  guides.register("mine", ({ classes }, { baseWidth }) => new Mine(baseWidth, classes));
  similarities.register("mine", (x, y) => linearCka(x, y));
  datasets.register("mine", async ({ folder }) => syntheticDataset(folder ? { train: 8 } : {}));
  transforms.register("mine", (pixels, { size, uniform }) =>
    new Uint8Array(3 * size * size).fill(pixels.data[0] * uniform()),
  );
}

export function wrong(): void {
  // @ts-expect-error a class is no function that builds one
  students.register("mine", Mine);
  // @ts-expect-error it returns no module
  students.register("mine", ({ classes }) => classes);
  // @ts-expect-error a task has no such field
  students.register("mine", ({ pixels }) => new Mine(pixels, 10));
  // @ts-expect-error guides have other settings than students
  guides.register("mine", ({ classes }, { layers }) => new Mine(layers, classes));
  // @ts-expect-error a promise of a module is none
  guides.register("mine", async ({ classes }) => new Mine(1, classes));
  // @ts-expect-error a similarity is a Tensor
  similarities.register("mine", () => 1);
  // @ts-expect-error the features are two
  similarities.register("mine", (x, y, z) => linearCka(x, z));
  // @ts-expect-error a split is missing
  datasets.register("mine", async () => ({ train: syntheticDataset().train, test: syntheticDataset().test }));
  // @ts-expect-error so is the promise
  datasets.register("mine", () => syntheticDataset());
  // @ts-expect-error an image is bytes
  transforms.register("mine", (pixels) => [...pixels.data]);
  // @ts-expect-error the name comes first
  transforms.register((pixels) => pixels.data, "mine");
}
