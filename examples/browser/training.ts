// The worker: trains a guide on MNIST, then two students with the same initial weights on the same batches, one under the
// guide and one without. The kernels are those that Node runs.

import { DeepFCN, guidanceLoss, ResNet18 } from "@guidance/guidance";
import { openBackend } from "@guidance/shaders";
import {
  argMax,
  type Backend,
  compile,
  crossEntropy,
  Generator,
  i32,
  linearCka,
  type nn,
  optim,
  permutation,
  type Tensor,
  u8,
} from "@guidance/tensor";
import type { Message, Network, Settings } from "./messages.ts";

const side = 28;
const classes = 10;
/** Test images that are scored, in one batch. */
const scored = 500;

const tell = (message: Message) => postMessage(message);

/** Images as bytes [count, 1, 28, 28] and their classes, as serve.ts hands them out. */
async function load(split: "train" | "test") {
  const bytes = async (name: string) => new Uint8Array(await (await fetch(`/mnist/${split}-${name}`)).arrayBuffer());
  return { images: await bytes("images"), labels: Int32Array.from(await bytes("labels")) };
}
type Split = Awaited<ReturnType<typeof load>>;

/** Batch after batch in an order that follows from the seed; every call begins anew. */
function* batches({ images, labels }: Split, size: number) {
  const pixels = side * side;
  for (let epoch = 0; ; epoch++) {
    const order = permutation(labels.length, 0, epoch);
    for (let first = 0; first + size <= order.length; first += size) {
      const chosen = [...order.subarray(first, first + size)];
      const batch = new Uint8Array(size * pixels);
      chosen.forEach((image, place) => {
        batch.set(images.subarray(image * pixels, (image + 1) * pixels), place * pixels);
      });
      yield { images: batch, labels: Int32Array.from(chosen, (image) => labels[image]) };
    }
  }
}

/** Bytes to values of mean 0 and standard deviation 1 over MNIST. */
const normalize = (images: Tensor): Tensor => images.cast("f32").div(255).sub(0.1307).div(0.3081);

const inputs = (size: number) => ({ images: u8(size, 1, side, side), labels: i32(size) });

/** What a network minimizes, and the cross-entropy in it. */
type Loss = (images: Tensor, labels: Tensor) => { loss: Tensor; crossEntropy: Tensor };

/** A network that learns step by step, and its score on the first test images. */
async function learner(backend: Backend, network: Network, model: nn.Module, size: number, lossOf: Loss) {
  const adam = new optim.Adam(model.parameters(), { learningRate: 1e-3 });
  const step = await compile(backend, inputs(size), ({ images, labels }) => {
    const { loss, crossEntropy } = lossOf(normalize(images), labels);
    adam.minimize(loss);
    return { crossEntropy };
  });
  model.eval(); // batch norm by its running statistics; a compiled step keeps its mode
  const score = await compile(backend, inputs(scored), ({ images, labels }) => ({
    accuracy: argMax(model.call(normalize(images)))
      .equal(labels)
      .cast("f32")
      .mean(),
  }));
  model.train();
  let steps = 0;
  return {
    async learn(batch: { images: Uint8Array; labels: Int32Array }) {
      const { crossEntropy } = await step(batch);
      tell({ kind: "loss", network, step: ++steps, value: crossEntropy.item() });
    },
    async score({ images, labels }: Split) {
      const { accuracy } = await score({
        images: images.subarray(0, scored * side * side),
        labels: labels.subarray(0, scored),
      });
      tell({ kind: "accuracy", network, value: accuracy.item() });
    },
  };
}

async function train({ layers, width, guideWidth, guideSteps, steps, batch: size }: Settings): Promise<void> {
  tell({ kind: "status", text: "opening the device, loading MNIST" });
  const [backend, images, test] = await Promise.all([openBackend(), load("train"), load("test")]);

  tell({ kind: "status", text: `the guide learns, on ${backend.name}` });
  const guide = new ResNet18({ channels: 1, classes, baseWidth: guideWidth, generator: new Generator(1) });
  const alone = (model: nn.Module): Loss => {
    return (images, labels) => {
      const loss = crossEntropy(model.call(images), labels);
      return { loss, crossEntropy: loss };
    };
  };
  const teacher = await learner(backend, "guide", guide.named("guide"), size, alone(guide));
  const first = batches(images, size);
  for (let step = 0; step < guideSteps; step++) await teacher.learn(first.next().value!);
  await teacher.score(test);

  tell({ kind: "status", text: `two students of ${layers} layers learn, on ${backend.name}` });
  // the same seed: the same initial weights
  const student = () =>
    new DeepFCN({
      inputs: side * side,
      firstWidth: width,
      width,
      middleLayers: layers - 2,
      classes,
      dropout: 0,
      generator: new Generator(0),
    }).named("student");
  const [guidedModel, unguidedModel] = [student(), student()];
  const guided = await learner(backend, "guided", guidedModel, size, (images, labels) =>
    guidanceLoss(images, labels, {
      student: guidedModel,
      guide,
      similarity: linearCka,
      alpha: 3,
      forwards: "single",
    }),
  );
  const unguided = await learner(backend, "unguided", unguidedModel, size, alone(unguidedModel));
  const same = batches(images, size);
  const scoreEvery = Math.max(1, Math.round(steps / 10));
  for (let step = 1; step <= steps; step++) {
    const batch = same.next().value!;
    await guided.learn(batch);
    await unguided.learn(batch);
    if (step % scoreEvery !== 0 && step !== steps) continue;
    await guided.score(test);
    await unguided.score(test);
  }
  await backend.close();
  tell({ kind: "done", text: `done, on ${backend.name}` });
}

addEventListener("message", ({ data }: MessageEvent<Settings>) => {
  train(data).catch((error: Error) => tell({ kind: "error", text: error.message }));
});
