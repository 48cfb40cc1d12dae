/** Comparisons of all samples at once: batches and passes change nothing but what is held, and that is bounded by them. */
import { cpuBackend, Generator } from "@guidance/tensor";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { memorySource } from "../data/memory-source.ts";
import type { ImageSource } from "../data/source.ts";
import { syntheticDataset } from "../data/synthetic.ts";
import { similarities } from "../method/similarity.ts";
import { DeepFCN } from "../models/deep-fcn.ts";
import { ResNet18 } from "../models/resnet18.ts";
import { compareNetworks } from "./compare.ts";
import type { CompareOptions, CompareProgress } from "./comparison.ts";

const dataset = syntheticDataset({ height: 8, width: 8, train: 8, validation: 8, test: 64 }).test;
const source = memorySource(dataset);
const input = { imageShape: [1, 8, 8], normalization: { mean: source.mean, std: source.std } };
const sizes = { inputs: 64, firstWidth: 6, width: 5, middleLayers: 2, classes: 4 };
const deep = new DeepFCN({ ...sizes, generator: new Generator(1) });
const residual = new ResNet18({ channels: 1, baseWidth: 1, classes: 4, generator: new Generator(2) });
const networks = [
  { name: "deep", model: deep, input },
  { name: "residual", model: residual, input },
] as const;
const float64 = cpuBackend({ precision: "float64", poison: true });
afterAll(() => {
  deep.close();
  residual.close();
});

const compare = (options: Partial<CompareOptions> = {}) =>
  compareNetworks({
    backend: float64,
    networks,
    source,
    similarity: "linear-cka",
    estimator: "full",
    samples: 20,
    batchSize: 20,
    seed: 0,
    ...options,
  });

type Matrix = readonly (readonly number[])[];

function expectNear(actual: Matrix, expected: Matrix): void {
  expect(actual.map((row) => row.length)).toEqual(expected.map((row) => row.length));
  for (const [i, value] of actual.flat().entries()) expect(Math.abs(value - expected.flat()[i])).toBeLessThan(1e-9);
}

similarities.register("mean-product", (x, y) => x.flatten().mean(1).mul(y.flatten().mean(1)).mean());

test.each([
  ["linear-cka", 6],
  ["rbf-cka", 3],
  ["svcca", 3],
  ["pwcca", 3],
  ["mean-product", 3],
] as const)("%s in batches is that of one batch", async (similarity, numRuns) => {
  const runs = fc
    .integer({ min: 6, max: 64 })
    .chain((samples) => fc.tuple(fc.constant(samples), fc.integer({ min: 1, max: samples })));
  await fc.assert(
    fc.asyncProperty(runs, async ([samples, batchSize]) => {
      const whole = await compare({ similarity, samples, batchSize: samples });
      const parts = await compare({ similarity, samples, batchSize });
      expect([whole.samples, parts.samples]).toEqual([samples, samples]);
      expectNear(parts.matrix, whole.matrix);
    }),
    // all images, the last batch of them padded
    { numRuns, seed: 6, examples: [[[64, 11]]] },
  );
});

/** Bytes of weights, and the most that was held beside them in each stage. */
async function memoryOf(options: Partial<CompareOptions>) {
  const backend = cpuBackend();
  const models = [
    new DeepFCN({ ...sizes, generator: new Generator(1) }),
    new ResNet18({ channels: 1, baseWidth: 4, classes: 4, generator: new Generator(2) }),
  ];
  const held = { images: 0, layers: 0, pairs: 0 };
  const onProgress = ({ stage }: CompareProgress) => {
    held[stage] = Math.max(held[stage], backend.liveBytes);
  };
  const [first, second] = models.map((model) => ({ name: "network", model, input }));
  await compare({ backend, networks: [first, second], onProgress, ...options });
  const weights = backend.liveBytes;
  for (const model of models) model.close();
  return { weights, images: held.images - weights, layers: held.layers - weights, pairs: held.pairs - weights };
}

test("a network's memory is that of a batch, whatever the samples, and one layer is made at a time", async () => {
  const few = await memoryOf({ samples: 8, batchSize: 8 });
  const many = await memoryOf({ samples: 64, batchSize: 8 });
  const whole = await memoryOf({ samples: 64, batchSize: 64 });
  expect(many.images).toBe(few.images);
  expect(whole.images).toBeGreaterThan(4 * many.images);
  // the largest layer, as it comes and centered, and two matrices [n, n]: all of them of 64 x 64 numbers
  expect(many.layers).toBeLessThan(5 * 4 * 64 * 64);
  expect(whole.layers).toBe(many.layers);
  expect(many.pairs).toBe(0);
});

test("with less of the host's memory there are more passes, and the same values", async () => {
  const told: CompareProgress[] = [];
  const { matrix } = await compare({ batchSize: 8 });
  // relations [20, 20] of all layers, and the largest features
  const hostBytes = 8 * (24 * 20 * 20 + 20 * 16);
  const passes = await compare({ batchSize: 8, hostBytes, onProgress: (at) => told.push(at) });
  expectNear(passes.matrix, matrix);
  const last = (stage: string) => told.filter((at) => at.stage === stage).at(-1);
  expect(last("images")!.total / 20).toBeGreaterThan(4);
  for (const stage of ["images", "layers", "pairs"]) expect(last(stage)!.done).toBe(last(stage)!.total);
  expect([last("layers")!.total, last("pairs")!.total]).toEqual([24, 63]);
});

const silent = (told: string[]): ImageSource => ({
  ...source,
  batches(options) {
    told.push("batches");
    return source.batches(options);
  },
});

test.each([
  [
    "the host is too small",
    { hostBytes: 50_000 },
    /on 20 samples, features of one layer take 960 B, what is kept of all layers 76\.8 kB, and 50\.0 kB of the host's memory may be used\. Take fewer --samples/,
  ],
  [
    "the device is too small for a batch",
    { backend: cpuBackend({ budgetBytes: 20_000 }) },
    /batches of 20 in "deep" need .* the budget of cpu float32 is 20\.0 kB\. Take a smaller --batch/,
  ],
  [
    "the device is too small for features",
    { backend: cpuBackend({ budgetBytes: 60_000 }), samples: 64, batchSize: 1 },
    /features \[64, .*\] need .* Take fewer --samples, or --estimator minibatch/,
  ],
] as const)("%s: that is told before anything runs", async (_, options, message) => {
  const told: string[] = [];
  const error: unknown = await compare({ ...options, source: silent(told) }).catch((error) => error);
  expect(String(error)).toMatch(/^LimitError: compare: /);
  expect(String(error)).toMatch(message);
  expect(told).toEqual([]);
});

/** The source without some of its images: their places are zeros that do not count. */
const withBad = (isBad: (place: number) => boolean): ImageSource => ({
  ...source,
  async *batches(options) {
    for await (const batch of source.batches(options)) {
      const mask = batch.mask.map((real, i) => (isBad(batch.index * options.batchSize + i) ? 0 : real));
      yield { ...batch, mask };
    }
  },
});

test("images that cannot be decoded are left out, and others come in their place while there are any", async () => {
  const odd = (place: number) => place % 2 === 1;
  const some = await compare({ source: withBad(odd), batchSize: 6 });
  expect(some.samples).toBe(20);
  const again = await compare({ source: withBad(odd), batchSize: 20 });
  expectNear(some.matrix, again.matrix);
  expect((await compare({ source: withBad(odd), samples: 64, batchSize: 10 })).samples).toBe(32);
  await expect(compare({ source: withBad((place) => place > 0) })).rejects.toThrow(
    '1 of 64 images of "synthetic test" can be used. Expected at least 2 good images',
  );
});

/** The source with only those of its images whose places in the order of seed 0 are chosen, in that order. */
async function chosen(isChosen: (place: number) => boolean): Promise<ImageSource> {
  const images: Uint8Array[] = [];
  for await (const batch of source.batches({ batchSize: 1, lastBatch: "keep", shuffle: true, seed: 0 }))
    if (isChosen(batch.index)) images.push(batch.images);
  const left = memorySource({ ...dataset, images: Buffer.concat(images), count: images.length });
  return { ...left, batches: (options) => left.batches({ ...options, shuffle: false }) };
}

test("unbiased estimates are of batches full of good images, each once; a short last one is left out", async () => {
  const odd = (place: number) => place % 2 === 1;
  const options = { estimator: "minibatch", similarity: "rbf-cka", batchSize: 10 } as const;
  const { samples, matrix } = await compare({ ...options, source: withBad(odd), samples: 64 });
  const expected = await compare({ ...options, source: await chosen((place) => !odd(place)), samples: 30 });
  expect(samples).toBe(30);
  expect(matrix).toEqual(expected.matrix);
  await expect(compare({ ...options, source: withBad((place) => place > 8) })).rejects.toThrow(
    '9 of 64 images of "synthetic test" can be used. Expected at least 10 good images',
  );
});

test("timers run while layers and pairs are made", async () => {
  let ticks = 0;
  const timer = setInterval(() => ticks++, 0);
  const at: number[] = [];
  await compare({ similarity: "procrustes", onProgress: ({ stage }) => stage === "pairs" && at.push(ticks) });
  clearInterval(timer);
  expect(at.at(-1)).toBeGreaterThan(at[0]);
});
