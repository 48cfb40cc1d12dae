// The tensor engine alone: a small network learns to tell points inside a ring from those outside. The whole training
// step, gradients and Adam included, is one plan of kernels.

import { openBackend } from "@guidance/shaders";
import { compile, cpuBackend, crossEntropy, f32, Generator, i32, nn, optim } from "@guidance/tensor";

// the GPU, or a software driver; the same code runs on the CPU backend, which is plain TypeScript
const backend = await openBackend().catch((error: Error) => {
  console.log(`no WebGPU: ${error.message}`);
  return cpuBackend();
});
console.log(`backend ${backend.name}`);

const generator = new Generator(0); // decides the initial weights
const model = new nn.Sequential(
  new nn.Linear(2, 32, { generator }),
  new nn.ReLU(),
  new nn.Linear(32, 32, { generator }),
  new nn.ReLU(),
  new nn.Linear(32, 2, { generator }),
);
const adam = new optim.Adam(model.parameters(), { learningRate: 1e-2 });

const batchSize = 128;
const step = await compile(backend, { points: f32(batchSize, 2), labels: i32(batchSize) }, ({ points, labels }) => {
  const loss = crossEntropy(model.call(points), labels);
  adam.minimize(loss); // gradients and updates join the same plan
  return { loss };
});
console.log(step.plan.describe()); // known before the first step

/** Points in [-1, 1]^2, and whether they lie in the ring 0.4 < r < 0.8. */
function batch() {
  const points = Float32Array.from({ length: 2 * batchSize }, () => 2 * Math.random() - 1);
  const radius = (i: number) => Math.hypot(points[2 * i], points[2 * i + 1]);
  const labels = Int32Array.from({ length: batchSize }, (_, i) => (radius(i) > 0.4 && radius(i) < 0.8 ? 1 : 0));
  return { points, labels };
}

for (let count = 1; count <= 300; count++) {
  const { loss } = await step(batch());
  if (count === 1 || count % 50 === 0) console.log(`step ${count}: loss ${loss.item().toFixed(3)}`);
}

step.close();
model.close();
adam.close();
await backend.close();
