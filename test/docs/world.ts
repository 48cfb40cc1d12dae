// The machine that the pages speak of, as a folder: runs, data sets, photographs, weights, plugins and settings under the names that
// the pages give them, all of them small. What a shell takes `~` for is its folder `home`.

import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildGuide, presets, saveWeights } from "@guidance/guidance";
import { tiny, tinyNetworks } from "../cli/command.ts";
import { root } from "../support/command.ts";
import { execute, found, interrupt } from "./in-process.ts";
import { blocksOf, pages } from "./markdown.ts";

/** The run that the pages speak of. */
export const RUN = "runs/20260131-120000-mnist";
const STOPPED = "stopped";

/** Options of a training on photographs. */
export const tinyPhotographs: readonly string[] =
  "--image-size 16 --workers 1 --batch 4 --steps 4 --guide-steps 2 --guide-batch 4".split(" ");

const fixtures = join(root, "test/fixtures");

/** Fills the current folder. */
export async function makeWorld(): Promise<void> {
  for (const { language, note, text } of pages.flatMap((page) => blocksOf(page))) {
    if (language !== "sh" && /^[\w-]+\.\w+$/.test(note)) writeFileSync(note, text);
  }
  cpSync(join(fixtures, "photographs/parquet"), "home/imagenet", { recursive: true });
  cpSync(join(fixtures, "photographs/folder"), "home/photos", { recursive: true });
  cpSync(join(fixtures, "images/colour.jpg"), "cat.jpg");
  cpSync(join(fixtures, "images/grey.jpg"), "dog.jpg");
  for (const name of ["custom-similarity", "custom-student"])
    cpSync(join(root, "examples", name), `examples/${name}`, { recursive: true });
  writeCifar10("home/cifar-10-batches-bin");
  writeFashionMnist("home/fashion-mnist");
  await writeResNet("resnet18");
  await trainRuns();
}

async function trainRuns(): Promise<void> {
  await execute(["train", "--folder", RUN, ...tiny]);
  for (const other of ["runs/first", "runs/second", "home/experiments/first"]) cpSync(RUN, other, { recursive: true });
  const photographs = ["--device", "cpu", ...tinyPhotographs, ...tinyNetworks, "--data", "home/imagenet"];
  await execute(["train", "--folder", "runs/20260131-120000-imagenet", "--no-baseline", ...photographs]);
  const training = execute(["train", "--folder", STOPPED, ...tiny, "--steps", "20"]);
  await found(/(guided: validation after step 3)/);
  interrupt();
  if ((await training) !== 130) throw new Error("the training that was to be stopped was not");
}

/** The run that the pages speak of, as it is where it was stopped. */
export function stopRun(): void {
  rmSync(RUN, { recursive: true });
  cpSync(STOPPED, RUN, { recursive: true });
}

/** The same where a disk has damaged the student's last checkpoint. */
export function damageRun(): void {
  stopRun();
  writeFileSync(join(RUN, "guided/last.json"), "{");
}

/** Weights of torchvision's names for a guide as small as the others, in both formats. */
async function writeResNet(name: string): Promise<void> {
  const { notebook } = presets;
  const train = { channels: 3, height: 16, width: 16, classes: 256, mean: [0, 0, 0], std: [1, 1, 1], count: 1, name };
  const { model } = buildGuide({ ...notebook, guide: { ...notebook.guide, baseWidth: 2 } }, { train });
  for (const extension of ["pth", "safetensors"]) await saveWeights(`${name}.${extension}`, await model.stateDict());
  model.close();
}

/** Of 5020 images for training, the last 5000 of which validate, and 10 for test. */
function writeCifar10(folder: string): void {
  const records = (count: number) =>
    Buffer.concat(Array.from({ length: count }, (_, i) => Buffer.alloc(1 + 3 * 32 * 32, i % 10)));
  mkdirSync(folder, { recursive: true });
  const train = records(1004);
  for (let part = 1; part <= 5; part++) writeFileSync(join(folder, `data_batch_${part}.bin`), train);
  writeFileSync(join(folder, "test_batch.bin"), records(10));
}

/** As many images as {@link writeCifar10} writes, in IDX files. */
function writeFashionMnist(folder: string): void {
  const idx = (name: string, sizes: readonly number[], byte: (i: number) => number) => {
    const header = Buffer.alloc(4 + 4 * sizes.length);
    header.writeUInt32BE(0x800 + sizes.length);
    for (const [i, size] of sizes.entries()) header.writeUInt32BE(size, 4 + 4 * i);
    const bytes = Uint8Array.from({ length: sizes.reduce((a, b) => a * b) }, (_, i) => byte(i));
    writeFileSync(join(folder, `${name}-idx${sizes.length}-ubyte`), Buffer.concat([header, bytes]));
  };
  mkdirSync(folder, { recursive: true });
  for (const [name, count] of [
    ["train", 5020],
    ["t10k", 10],
  ] as const) {
    idx(`${name}-images`, [count, 28, 28], (i) => i % 256);
    idx(`${name}-labels`, [count], (i) => i % 10);
  }
}
