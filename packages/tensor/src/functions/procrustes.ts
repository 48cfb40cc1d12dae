/**
 * Orthogonal Procrustes similarity (Williams et al. 2021; Ding et al. 2021): how near two sets of features can be brought
 * by a rotation. With X, Y centered and of norm 1, min over rotations R of |X R - Y|^2 = 2 - 2 |X^T Y|_*, where the nuclear
 * norm |M|_* is the sum of singular values. The similarity is |X^T Y|_*, the cosine of their angle.
 *
 * With M = U S V^T, |M|_* = <M, U V^T>, and the polar factor U V^T is also its gradient. It needs no singular value
 * decomposition: odd polynomials of M, products alone, bring all singular values to 1 (Newton-Schulz).
 */
import { withGradient } from "../ops/custom.ts";
import { withOneSite } from "../scope.ts";
import type { Operand, Tensor } from "../tensor.ts";
import { where } from "../values.ts";
import { center, counts, requireSameSamples } from "./gram.ts";

/**
 * x -> 3.4445 x - 4.7750 x^3 + 2.0315 x^5 (Jordan et al. 2024, Muon) grows small singular values fastest and keeps those
 * from 0 to 1 in 0 to 1.21; ten steps bring what is above 3e-6 of |M| into 0.68 to 1.21.
 */
const GROWTH = [3.4445, -4.775, 2.0315] as const;
const GROWTH_STEPS = 10;
/** x -> 1.5 x - 0.5 x^3 turns an error e into 1.5 e^2: 0.32 into 1e-21. */
const POLISH_STEPS = 6;

/** U V^T of M = U S V^T [r, c], r <= c; singular values below 3e-6 of the largest count in part. */
function polar(matrix: Tensor): Tensor {
  const squares = matrix.mul(matrix).sum();
  let factor = matrix.div(where(squares.equal(0), 1, squares).sqrt());
  const gramOf = (x: Tensor) => x.matmul(x, { transposeB: true });
  const [a, b, c] = GROWTH;
  for (let i = 0; i < GROWTH_STEPS; i++) {
    const gram = gramOf(factor);
    factor = gram.mul(b).add(gram.matmul(gram).mul(c)).matmul(factor).add(factor.mul(a));
  }
  for (let i = 0; i < POLISH_STEPS; i++) factor = factor.mul(1.5).sub(gramOf(factor).matmul(factor).mul(0.5));
  return factor;
}

/** Sum of singular values of M [r, c], r <= c. Gradient: U V^T. */
function nuclearNorm(matrix: Tensor): Tensor {
  const factor = polar(matrix);
  return withGradient(matrix.mul(factor).sum(), [matrix], (grad) => [factor.mul(grad)]);
}

/** Features [n, d] centered and of norm 1, as they are without variance. */
function normalized(features: Tensor): { readonly x: Tensor; readonly varies: Tensor } {
  const { centered, taken } = center(features);
  const squares = centered.mul(centered).sum();
  const varies = counts(squares, squares.add(taken));
  return { x: centered.div(where(varies, squares, 1).sqrt()), varies };
}

/**
 * Orthogonal Procrustes similarity of x [n, ...] and y [n, ...], a scalar in [0, 1] up to rounding, invariant to rotation
 * and scale. 0 with gradient exactly 0 where either has no variance. Work and memory grow with the product of their widths,
 * not with samples: for layers of up to some thousand values. Source: Williams et al. 2021, section 2.
 */
export function procrustes(x: Operand, y: Operand): Tensor {
  requireSameSamples("procrustes", x, y);
  return withOneSite(() => {
    const [a, b] = [normalized(x.asTensor()), normalized(y.asTensor())];
    const [narrow, wide] = a.x.shape[1] <= b.x.shape[1] ? [a, b] : [b, a];
    const norm = nuclearNorm(narrow.x.matmul(wide.x, { transposeA: true }));
    return where(a.varies.and(b.varies), norm, 0);
  });
}
