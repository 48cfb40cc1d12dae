/**
 * The guidance loss: cross-entropy + alpha x sum over paired layers of (1 - similarity). The guide is
 * frozen: no gradient reaches it.
 */
import { constant, crossEntropy, type nn, normal, type Operand, type Tensor } from "@guidance/tensor";
import { type Feature, observe } from "../features/observe.ts";
import { type LayerPair, pairLayers } from "../features/pair.ts";
import { generatorOf } from "../models/network.ts";
import type { Similarity } from "./similarity.ts";

/** single: one student forward gives logits and features. notebook: two, as in the original. */
export type Forwards = "single" | "notebook";

/** images: guide and student see the same. noise: the guide sees normal noise of mean 0 and variance 1, new each step. */
export type GuideInput = "images" | "noise";

/** Student, guide, and how strongly one steers the other. */
export interface GuidanceOptions {
  readonly student: nn.Module;
  readonly guide: nn.Module;
  readonly similarity: Similarity;
  /** Weight of the similarity term; a host scalar may stand for it. */
  readonly alpha: Operand | number;
  readonly forwards: Forwards;
  /** What the guide sees; the images unless given. */
  readonly guideInput?: GuideInput;
  /** Part of each target of the cross-entropy that is spread over all classes; 0 unless given. */
  readonly labelSmoothing?: number;
}

/** The guidance loss and its parts, all scalars but the logits. */
export interface GuidanceLoss {
  /** crossEntropy + alpha x dissimilarity. */
  readonly loss: Tensor;
  readonly crossEntropy: Tensor;
  /** Sum over pairs of 1 - similarity. */
  readonly dissimilarity: Tensor;
  readonly logits: Tensor;
  readonly pairs: readonly LayerPair[];
  /** 1 - similarity of each pair. */
  readonly terms: readonly Tensor[];
}

/** 1 - similarity of each pair and their sum; guide features are detached. */
export function alignment(
  guide: readonly Feature[],
  student: readonly Feature[],
  similarity: Similarity,
): Pick<GuidanceLoss, "dissimilarity" | "pairs" | "terms"> {
  const pairs = pairLayers(guide, student);
  const terms = pairs.map((pair) => similarity(pair.student.tensor, pair.guide.tensor.detach()).neg().add(1));
  return { pairs, terms, dissimilarity: terms.reduce((sum, term) => sum.add(term), constant(0)) };
}

/** The loss of images [N,C,H,W] with i32 labels [N]; modules run in the mode they are in. */
export function guidanceLoss(
  images: Operand,
  labels: Operand,
  { student, guide, similarity, alpha, forwards, guideInput = "images", labelSmoothing = 0 }: GuidanceOptions,
): GuidanceLoss {
  const first = observe(student, images);
  const learned = forwards === "notebook" ? observe(student, images) : first;
  const seen = guideInput === "noise" ? normal(images.shape, generatorOf(guide)) : images;
  const aligned = alignment(observe(guide, seen).features, learned.features, similarity);
  const entropy = crossEntropy(first.output, labels, { labelSmoothing });
  return {
    ...aligned,
    loss: entropy.add(aligned.dissimilarity.mul(alpha)),
    crossEntropy: entropy,
    logits: first.output,
  };
}
