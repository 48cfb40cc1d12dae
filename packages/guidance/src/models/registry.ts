/** Students and guides by name: how to build a network for images of a given shape. */
import type { Generator, nn } from "@guidance/tensor";
import { Registry } from "../registry.ts";
import { DeepFCN } from "./deep-fcn.ts";
import { ResNet18 } from "./resnet18.ts";

/** What every network is built for. */
export interface ImageTask {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly classes: number;
  /** Source of initial values and dropout masks; also the default one while the network is built and traced. */
  readonly generator: Generator;
}

/** Settings of built-in students; a user's own takes what it needs. */
export interface StudentSettings {
  /** Linear layers in all, the first and the last included. */
  readonly layers: number;
  readonly width: number;
  readonly firstWidth: number;
  readonly dropout: number;
}

/** Settings of built-in guides. */
export interface GuideSettings {
  readonly baseWidth: number;
}

/** Builds a student for images of a task. */
export type StudentFactory = (task: ImageTask, settings: StudentSettings) => nn.Module;
/** Builds a guide for images of a task. */
export type GuideFactory = (task: ImageTask, settings: GuideSettings) => nn.Module;

const signature = "(task, settings) => nn.Module";

/** Students: networks that take images [N, channels, height, width] and give logits [N, classes]. */
export const students = new Registry<StudentFactory>(
  "student",
  {
    "deep-fcn": ({ channels, height, width: imageWidth, classes, generator }, { layers, width, firstWidth, dropout }) =>
      new DeepFCN({
        inputs: channels * height * imageWidth,
        firstWidth,
        width,
        middleLayers: layers - 2,
        classes,
        dropout,
        generator,
      }),
  },
  signature,
);

/** Guides: networks as students are, that steer them. */
export const guides = new Registry<GuideFactory>(
  "guide",
  {
    resnet18: ({ channels, classes, generator }, { baseWidth }) =>
      new ResNet18({ channels, classes, baseWidth, generator }),
  },
  signature,
);
