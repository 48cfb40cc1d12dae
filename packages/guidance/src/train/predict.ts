/** What a trained student takes images for. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Backend, compile, softmax } from "@guidance/tensor";
import { DataError } from "../data/errors.ts";
import { type Fit, imageInFormat } from "../data/images/to-format.ts";
import type { ImageFormat } from "../data/source.ts";
import { callNetwork } from "../models/network.ts";
import { systemReason } from "../system-error.ts";
import { buildStudent, imageInput } from "./build.ts";
import type { TrainConfig } from "./config.ts";
import { imageSpec, seenImages } from "./image-input.ts";
import { inEvaluation } from "./modes.ts";
import { loadWeights } from "./state.ts";

/** The network that predicts, and the format of its images. */
export interface PredictOptions {
  readonly backend: Backend;
  readonly config: TrainConfig;
  /** The format of the data that the run was trained on. */
  readonly format: ImageFormat;
  readonly fit: Fit;
  /** Folder of the run. */
  readonly folder: string;
  readonly arm: "guided" | "unguided";
  readonly checkpoint: string;
  readonly files: readonly string[];
  /** How many classes are given, the most probable first. */
  readonly top: number;
}

/** The most probable classes of one image file. */
export interface Prediction {
  readonly file: string;
  readonly classes: readonly { readonly index: number; readonly name: string; readonly probability: number }[];
}

/** The most probable classes of each image, one after another, or what is wrong with its file. */
export async function* predictImages(options: PredictOptions): AsyncGenerator<Prediction | DataError, void, undefined> {
  const { backend, config, format, fit, folder, arm, checkpoint, files, top } = options;
  const splits = { train: format };
  const { model } = buildStudent(config, splits);
  await loadWeights(join(folder, arm), checkpoint, model);
  const input = imageInput(splits);
  const step = await inEvaluation(model, () =>
    compile(backend, { images: imageSpec(input, 1) }, ({ images }) => ({
      probabilities: softmax(callNetwork(model, seenImages(input, images))),
    })),
  );
  try {
    for (const file of files) {
      const images = await readImage(file, format, fit, config.images.transform).catch((error: unknown) => {
        if (error instanceof DataError) return error;
        throw error;
      });
      if (images instanceof DataError) {
        yield images;
        continue;
      }
      const { probabilities } = await step({ images });
      const classes = [...probabilities.data]
        .map((probability, index) => ({ index, name: format.classNames?.[index] ?? String(index), probability }))
        .sort((a, b) => b.probability - a.probability || a.index - b.index)
        .slice(0, top);
      yield { file, classes };
    }
  } finally {
    step.close();
    model.close();
  }
}

async function readImage(file: string, format: ImageFormat, fit: Fit, transform: string): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw new DataError({ what: "image", facts: `cannot read "${file}" (${systemReason(error)})` });
  }
  return imageInFormat(bytes, file, format, fit, transform);
}
