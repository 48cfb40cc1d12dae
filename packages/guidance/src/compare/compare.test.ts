/** Whole comparisons on the CPU: a network with itself, batches, plugins' similarities, and what is refused. */
import { cpuBackend, Generator, nn, type Operand, type Tensor } from "@guidance/tensor";
import { afterAll, expect, test } from "vitest";
import { memorySource } from "../data/memory-source.ts";
import { syntheticDataset } from "../data/synthetic.ts";
import { similarities } from "../method/similarity.ts";
import { DeepFCN } from "../models/deep-fcn.ts";
import { ResNet18 } from "../models/resnet18.ts";
import { compareNetworks } from "./compare.ts";
import type { ComparedNetwork, CompareOptions, CompareProgress } from "./comparison.ts";
import { comparisonNames } from "./measures.ts";

const backend = cpuBackend();
const source = memorySource(syntheticDataset({ height: 8, width: 8, train: 8, validation: 8, test: 640 }).test);
const input = { imageShape: [1, 8, 8], normalization: { mean: source.mean, std: source.std } };
const deep: ComparedNetwork = {
  name: "deep",
  model: new DeepFCN({
    inputs: 64,
    firstWidth: 12,
    width: 10,
    middleLayers: 2,
    classes: 4,
    generator: new Generator(1),
  }),
  input,
};
const guide: ComparedNetwork = {
  name: "guide",
  model: new ResNet18({ channels: 1, baseWidth: 2, classes: 4, generator: new Generator(2) }).named("guide"),
  input,
};
afterAll(() => {
  deep.model.close();
  guide.model.close();
});

const compare = (options: Partial<CompareOptions> = {}) =>
  compareNetworks({
    backend,
    networks: [deep, guide],
    source,
    similarity: "linear-cka",
    estimator: "full",
    samples: 32,
    batchSize: 8,
    seed: 0,
    ...options,
  });

test.each(comparisonNames())(
  "%s of a network with itself is 1 on the diagonal, and symmetric unless it is PWCCA",
  async (similarity) => {
    const { matrix, rows, columns } = await compare({ networks: [deep, deep], similarity });
    expect(rows).toEqual(columns);
    matrix.forEach((row, i) => {
      expect(row).toHaveLength(3);
      expect(row[i]).toBeCloseTo(1, 6);
      row.forEach((value, j) => {
        if (similarity !== "pwcca") expect(value).toBeCloseTo(matrix[j][i], 10);
      });
    });
  },
);

test("the estimates over batches of a network with itself are 1 on the diagonal", async () => {
  for (const similarity of ["linear-cka", "rbf-cka"]) {
    const { matrix } = await compare({ networks: [deep, deep], similarity, estimator: "minibatch" });
    expect(matrix.map((row, i) => row[i])).toEqual([1, 1, 1]);
  }
});

test("layers are those of observe, and modes are left as they were", async () => {
  expect(deep.model.training).toBe(true);
  const { rows, columns, matrix, samples } = await compare();
  expect(rows.map(({ name }) => name)).toEqual(["Linear_0", "Linear_1", "Linear_2"]);
  expect(rows[1].path).toBe("intermediate_layers.0.0");
  expect(columns[1].path).toBe("layer1.0.conv1");
  expect([columns[0].name, columns.at(-1)?.name]).toEqual(["Conv2d_0", "AdaptiveAvgPool2d_20"]);
  expect([matrix.length, matrix[0].length, samples]).toEqual([3, columns.length, 32]);
  expect(deep.model.training).toBe(true);
  expect(guide.model.training).toBe(true);
});

test("estimates over batches come near that of all samples, where CKA of a batch is too large", async () => {
  const model = new DeepFCN({
    inputs: 64,
    firstWidth: 9,
    width: 8,
    middleLayers: 1,
    classes: 4,
    generator: new Generator(3),
  });
  const networks = [deep, { name: "other", model, input }] as const;
  const at = async (options: Partial<CompareOptions>) =>
    (await compare({ networks, samples: 640, ...options })).matrix[0][0];
  const all = await at({ estimator: "minibatch", batchSize: 640 });
  const batches = await at({ estimator: "minibatch", batchSize: 16 });
  const few = await at({ samples: 16 });
  expect(Math.abs(batches - all)).toBeLessThan(0.03);
  expect(few - all).toBeGreaterThan(0.1);
  // of very many samples both estimators agree
  expect(Math.abs((await at({})) - all)).toBeLessThan(0.03);
}, 60_000);

test("the seed draws the images, and a short last batch is left out", async () => {
  const [first, again, other] = [await compare(), await compare(), await compare({ seed: 1 })];
  expect(again).toEqual(first);
  expect(other.matrix).not.toEqual(first.matrix);
  const told: CompareProgress[] = [];
  const { samples, batchSize } = await compare({
    estimator: "minibatch",
    samples: 30,
    onProgress: (at) => told.push(at),
  });
  expect([samples, batchSize]).toEqual([24, 8]);
  expect(told).toEqual([8, 16, 24].map((done) => ({ stage: "images", done, total: 24 })));
});

test("a batch has no more images than there are samples", async () => {
  for (const estimator of ["full", "minibatch"] as const) {
    const { samples, batchSize, matrix } = await compare({ estimator, samples: 12, batchSize: 100 });
    expect([samples, batchSize]).toEqual([12, 12]);
    expect(matrix).toEqual((await compare({ estimator, samples: 12, batchSize: 12 })).matrix);
  }
});

test("a plugin's similarity is computed pair by pair", async () => {
  similarities.register("cka-twice", (x, y) => similarities.get("cka")(x, y).mul(2));
  const { matrix } = await compare({ similarity: "cka-twice" });
  const { matrix: plain } = await compare();
  matrix.flat().forEach((value, i) => {
    expect(value).toBeCloseTo(2 * plain.flat()[i], 5);
  });
});

class OneLayer extends nn.Module {
  readonly only = new nn.Linear(64, 4);
  forward(x: Operand): Tensor {
    return this.only.call(x.flatten());
  }
}

test("what does not fit is refused before anything runs", async () => {
  const refused = async (options: Partial<CompareOptions>) => String(await compare(options).catch((error) => error));
  expect(await refused({ similarity: "svca" })).toMatch(/no similarity "svca".*Perhaps you meant "svcca"/);
  expect(await refused({ similarity: "rsa", estimator: "minibatch" })).toContain('no minibatch estimate of "rsa"');
  expect(await refused({ estimator: "minibatch", batchSize: 3 })).toContain("Expected a whole number of at least 4");
  expect(await refused({ batchSize: 0 })).toContain("it has 0 images. Expected a whole number of at least 1");
  expect(await refused({ batchSize: 2.5 })).toMatch(/^DataError: batch: it has 2\.5 images\./);
  expect(await refused({ estimator: "minibatch", batchSize: 4.5 })).toMatch(/^DataError: batch: it has 4\.5 images,/);
  expect(await refused({ samples: 1 })).toContain("samples: there are 1. Expected a whole number of at least 2");
  expect(await refused({ samples: 2.5 })).toMatch(/^DataError: samples: there are 2\.5\./);
  expect(await refused({ estimator: "minibatch", samples: 3 })).toMatch(/samples: there are 3, and .* at least 4/);
  expect(await refused({ samples: 641 })).toContain('they are 641 and "synthetic test" has 640 images');
  const other = { ...guide, input: { ...input, imageShape: [3, 8, 8] } };
  expect(await refused({ networks: [deep, other] })).toContain(
    '"guide" takes images [3, 8, 8] and "synthetic test" has [1, 8, 8]',
  );
  const shallow = { name: "shallow", model: new OneLayer(), input };
  expect(await refused({ networks: [deep, shallow] })).toContain('"shallow" has no layers to compare');
  const small = cpuBackend({ budgetBytes: 1000 });
  expect(await refused({ backend: small, estimator: "minibatch" })).toMatch(
    /^LimitError: compare: the plan needs .* Take a smaller --batch/,
  );
});

test.each(["svcca", "pwcca"])("%s cannot train, and says what can", (name) => {
  expect(() => similarities.get(name)).toThrow(
    /cca" has no gradient.*Expected one of cka, linear-cka, rbf-cka, rsa, procrustes.*guidance compare takes "[ps][vw]cca"/,
  );
});
