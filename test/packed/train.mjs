// A user's program in plain JavaScript: no TypeScript, no build, and try/finally since Node 20 has no `await using`.
//
//   node train.mjs cpu | webgpu
//
// Prints the losses of two steps on one batch, and the adapter, as JSON.

import { argv } from "node:process";
import { compile, cpuBackend, crossEntropy, f32, i32, nn, optim } from "@guidance/tensor";

const backend = argv[2] === "webgpu" ? await (await import("@guidance/shaders")).openBackend() : cpuBackend();
try {
  const model = new nn.Sequential(new nn.Linear(16, 8), new nn.ReLU(), new nn.Linear(8, 4));
  const adam = new optim.Adam(model.parameters(), { learningRate: 1e-2 });
  const step = await compile(backend, { images: f32(32, 16), labels: i32(32) }, ({ images, labels }) => {
    const loss = crossEntropy(model.call(images), labels);
    adam.minimize(loss);
    return { loss };
  });
  const batch = {
    images: Float32Array.from({ length: 32 * 16 }, (_, index) => Math.sin(index * index)),
    labels: Int32Array.from({ length: 32 }, (_, index) => index % 4),
  };
  const losses = [];
  for (let run = 0; run < 2; run += 1) losses.push(Number((await step(batch)).loss));
  console.log(JSON.stringify({ backend: backend.name, losses }));
} finally {
  await backend.close();
}
