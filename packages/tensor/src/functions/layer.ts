/** Functions of layers without state. */
import { formatShape, ShapeError } from "../errors.ts";
import { captureSite, currentLayer, describeSite } from "../scope.ts";
import type { Operand, Tensor } from "../tensor.ts";
import { tensor } from "../values.ts";

/** x [..., in] times weight [out, in] transposed, plus bias [out] (torch.nn.functional.linear). */
export function linear(x: Operand, weight: Operand, bias?: Operand): Tensor {
  const [outputs, inputs] = weight.shape;
  if (x.shape[x.rank - 1] !== inputs) {
    throw new ShapeError({
      what: "linear",
      path: currentLayer(),
      facts: `x is ${formatShape(x.shape)}, weight is ${formatShape(weight.shape)}`,
      expected: `x [..., ${inputs}]`,
      hint:
        x.size % inputs === 0 || x.rank > 2 ? "Did you mean to flatten or pool first?" : "Check the layer's input size",
      site: describeSite(captureSite()),
    });
  }
  const product = x.reshape([-1, inputs]).matmul(weight, { transposeB: true });
  const sum = bias ? product.add(bias) : product;
  return sum.reshape([...x.shape.slice(0, -1), outputs]);
}

/** Row o averages inputs floor(o size / outputs) to ceil((o + 1) size / outputs), as torch does. */
function averagingMatrix(size: number, outputs: number): Tensor {
  const values = new Float64Array(outputs * size);
  for (let o = 0; o < outputs; o++) {
    const start = Math.floor((o * size) / outputs);
    const end = Math.ceil(((o + 1) * size) / outputs);
    values.fill(1 / (end - start), o * size + start, o * size + end);
  }
  return tensor(values, [outputs, size]);
}

/** x [N,C,H,W] averaged to [N,C,P,Q] (torch.nn.functional.adaptive_avg_pool2d). */
export function adaptiveAvgPool2d(x: Operand, [P, Q]: readonly [number, number]): Tensor {
  const [N, C, H, W] = x.shape;
  if (P === 1 && Q === 1) return x.mean([2, 3]).reshape([N, C, 1, 1]);
  const columns = x.reshape([N * C * H, W]).matmul(averagingMatrix(W, Q), { transposeB: true });
  const swapped = columns
    .reshape([N * C, H, Q])
    .transpose([0, 2, 1])
    .reshape([N * C * Q, H]);
  const pooled = swapped.matmul(averagingMatrix(H, P), { transposeB: true });
  return pooled
    .reshape([N * C, Q, P])
    .transpose([0, 2, 1])
    .reshape([N, C, P, Q]);
}

/** Tensors joined along `axis`. */
export function concat(parts: readonly Operand[], axis = 0): Tensor {
  const along = axis < 0 ? axis + parts[0].rank : axis;
  const total = parts.reduce((sum, part) => sum + part.shape[along], 0);
  let before = 0;
  return parts
    .map((part) => {
      const at = (count: number) => part.shape.map((_, i) => (i === along ? count : 0));
      const padded = part.pad(at(before), at(total - before - part.shape[along]));
      before += part.shape[along];
      return padded;
    })
    .reduce((sum, part) => sum.add(part));
}
