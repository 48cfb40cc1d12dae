// A similarity of one's own: how well two layers agree on which images are alike, when "alike" is the cosine between
// features. It is the kernel alignment of Cristianini, Shawe-Taylor, Elisseeff and Kandola, "On kernel-target alignment",
// 2001, of the two matrices of cosines.
//
// A similarity takes the features of two layers, [N, ...] of the same N images, the student's first, and gives a scalar:
// 1 where they are alike. What it is made of has derivatives, so nothing more is needed to train by it.

import { similarities } from "@guidance/guidance";
import type { Tensor } from "@guidance/tensor";

/** Keeps the length of features that are all 0 away from 0, where the square root has no derivative. */
const SMALLEST = 1e-12;

/** Cosines [N, N] between the features of each two images. */
function cosines(features: Tensor): Tensor {
  const x = features.flatten();
  const unit = x.div(x.mul(x).sum(1).add(SMALLEST).sqrt().reshape([x.shape[0], 1]));
  return unit.matmul(unit, { transposeB: true });
}

const inner = (a: Tensor, b: Tensor): Tensor => a.mul(b).sum();

similarities.register("cosine-alignment", (student, guide) => {
  const [k, l] = [cosines(student), cosines(guide)];
  return inner(k, l).div(inner(k, k).mul(inner(l, l)).add(SMALLEST).sqrt());
});
