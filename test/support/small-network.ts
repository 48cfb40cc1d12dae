// A few training steps of a small network that uses every kind of kernel: convolution, batch norm, pooling, dropout,
// matrix products, cross-entropy, linear CKA, Adam. The same losses are expected on every backend.

import {
  type Backend,
  compile,
  crossEntropy,
  f32,
  Generator,
  i32,
  linearCka,
  nn,
  optim,
  type Tensor,
} from "@guidance/tensor";

const batchSize = 16;

/** The losses of `steps` steps on one batch, the same on every backend up to rounding; `mixed`: in mixed precision. */
export async function trainSmallNetwork(backend: Backend, steps: number, { mixed = false } = {}): Promise<number[]> {
  const generator = new Generator(7);
  const convolution = new nn.Sequential(
    new nn.Conv2d(1, 8, 3, { padding: 1, generator }),
    new nn.BatchNorm2d(8),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Flatten(),
  ).named("convolution");
  const head = new nn.Sequential(
    new nn.Linear(8 * 4 * 4, 32, { generator }),
    new nn.ReLU(),
    new nn.Dropout(0.25, { generator }),
    new nn.Linear(32, 4, { generator }),
  ).named("head");
  const adam = new optim.Adam([...convolution.parameters(), ...head.parameters()], { learningRate: 1e-2 });
  const scaler = new optim.LossScaler({ scale: 256 });
  if (mixed) for (const part of [convolution, head]) nn.storeHalves(part);
  const inputs = { images: f32(batchSize, 1, 8, 8), labels: i32(batchSize) };
  const step = await compile(backend, inputs, ({ images, labels }) => {
    const features: Tensor = convolution.call(images);
    const loss = crossEntropy(head.call(features), labels).add(linearCka(features, images).neg().add(1));
    adam.apply(mixed ? scaler.gradients(adam, loss).gradients : adam.gradients(loss));
    return { loss };
  });
  const batch = {
    images: Float32Array.from({ length: batchSize * 64 }, (_, index) => Math.sin(index * index)),
    labels: Int32Array.from({ length: batchSize }, (_, index) => index % 4),
  };
  const losses: number[] = [];
  for (let run = 0; run < steps; run++) losses.push((await step(batch)).loss.item());
  step.close();
  return losses;
}
