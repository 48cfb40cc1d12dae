// ResNet-18 against torchvision's: logits, feature maps and running statistics of resnet18.json.

import { observe } from "@guidance/guidance";
import { compile, f32, type Tensor } from "@guidance/tensor";
import { describe, expect, test } from "vitest";
import { type FixtureTensor, loadFixture, makeTensor, type RealSpec } from "../support/fixtures.ts";
import { openBackends } from "../support/oracle-backends.ts";
import { expectClose, maxAbs, norm } from "../support/oracle-compare.ts";
import { makeResNet18, type WeightSpecs } from "../support/oracle-models.ts";

interface StoredMap {
  readonly name: string;
  readonly shape: readonly number[];
  readonly mean: number;
  /** Of the population. */
  readonly std: number;
  readonly l2: number;
  readonly first: readonly number[];
}

interface Mode {
  readonly mode: "eval" | "train";
  readonly logits: FixtureTensor<readonly number[]>;
  readonly feature_maps: readonly StoredMap[];
  /** After the one forward in train mode. */
  readonly running_after?: readonly { readonly name: string; readonly first: readonly number[]; readonly l2: number }[];
}

const { input, weights, modes } = loadFixture<{ input: RealSpec; weights: WeightSpecs; modes: Mode[] }>("resnet18");

test("both modes are there", () => {
  expect(modes.map(({ mode }) => mode).sort()).toEqual(["eval", "train"]);
});

/** Mean, standard deviation of the population, L2 norm. */
function summary(values: ArrayLike<number>) {
  const l2 = norm(values);
  const mean = Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, std: Math.sqrt(l2 ** 2 / values.length - mean ** 2), l2 };
}

describe.each(await openBackends())("ResNet-18 on $name", (backend) => {
  test.each(modes)(
    "in $mode mode",
    async ({ mode, logits: expectedLogits, feature_maps: maps, running_after: after }) => {
      // In float64 what nine stored digits allow, in float32 the README's tolerances; relative to the reference's size.
      const tolerance = backend.precision === "float64" ? 1e-8 : mode === "eval" ? 1e-5 : 1e-4;
      const model = makeResNet18(weights).train(mode === "train");
      await using step = await compile(backend, { images: f32(...input.shape) }, ({ images }) => {
        const { output, features } = observe(model, images);
        const outputs: Record<string, Tensor> = { logits: output };
        for (const { name, tensor } of features) outputs[name] = tensor;
        return outputs;
      });
      const { logits, ...features } = await step({ images: makeTensor(input).data });

      expect(logits.shape).toEqual(expectedLogits.shape);
      expectClose(logits.data, expectedLogits.data, tolerance * maxAbs(expectedLogits.data), "logits");
      expect(Object.keys(features)).toEqual(maps.map(({ name }) => name));
      for (const { name, shape, mean, std, l2, first } of maps) {
        const { data } = features[name];
        expect(features[name].shape).toEqual(shape);
        const own = summary(data);
        expectClose(
          [own.mean, own.std],
          [mean, std],
          tolerance * (Math.abs(mean) + std),
          `${name}: mean and deviation`,
        );
        expectClose([own.l2], [l2], tolerance * l2, `${name}: norm`);
        expectClose(data.subarray(0, first.length), first, tolerance * maxAbs(first), name);
      }

      if (mode === "train") {
        const variables = new Map(model.namedVariables());
        const statistics = [...variables.keys()].filter((name) => /running_(mean|var)$/.test(name));
        expect(after?.map(({ name }) => name).sort()).toEqual(statistics.sort());
      }
      const variables = new Map(model.namedVariables());
      for (const { name, first, l2 } of after ?? []) {
        const values = (await variables.get(name)?.read()) ?? [];
        expectClose([norm(values)], [l2], tolerance * l2, `norm of ${name}`);
        expectClose(Array.from(values).slice(0, first.length), first, tolerance * maxAbs(first), name);
      }
      model.close();
    },
  );
});
