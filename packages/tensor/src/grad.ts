/**
 * Reverse-mode differentiation: one walk from the loss back to the leaves that calls each op's `vjp`.
 * A vjp is written in public ops, so the result is a graph like any other and differentiates again.
 */
import { formatShape, GradientError } from "./errors.ts";
import { withLayer, withoutSites } from "./scope.ts";
import type { Operand, Tensor } from "./tensor.ts";
import { currentTrace } from "./trace.ts";
import { constant } from "./values.ts";
import { Variable } from "./variable.ts";

/** Tensors from which some target can be reached, inputs first. */
function pathTo(loss: Tensor, targets: ReadonlySet<Tensor>): Tensor[] {
  const reaches = new Map<Tensor, boolean>();
  const order: Tensor[] = [];
  const stack: Tensor[] = [loss];
  while (stack.length > 0) {
    const tensor = stack[stack.length - 1];
    const open = tensor.inputs.filter((input) => !reaches.has(input));
    if (open.length > 0) {
      stack.push(...open);
      continue;
    }
    stack.pop();
    if (reaches.has(tensor)) continue;
    const through = tensor.inputs.some((input) => reaches.get(input)) && tensor.op.name !== "detach";
    reaches.set(tensor, through || targets.has(tensor));
    if (reaches.get(tensor)) order.push(tensor);
  }
  return order;
}

/** What to differentiate with respect to: of a Variable, the version the step began with. */
function targetTensor(target: Operand): Tensor {
  return target instanceof Variable ? (currentTrace()?.begin(target) ?? target.asTensor()) : target.asTensor();
}

/**
 * Gradients of a scalar `loss` with respect to `targets`, each in its target's shape.
 * Throws a GradientError naming a target the loss does not depend on.
 */
export function grad(loss: Tensor, targets: readonly Operand[]): Tensor[] {
  if (loss.size !== 1 || loss.dtype !== "f32") {
    throw new GradientError({
      what: "grad",
      facts: `the loss is ${loss.dtype}${formatShape(loss.shape)}`,
      expected: "one f32 number",
      hint: "Reduce it with sum or mean",
      site: loss.site,
    });
  }
  const wanted = targets.map(targetTensor);
  const gradients = new Map<Tensor, Tensor>([[loss, constant(1).broadcast(loss.shape)]]);
  const targetSet = new Set(wanted);
  for (const tensor of pathTo(loss, targetSet).reverse()) {
    const gradient = gradients.get(tensor);
    if (!gradient || tensor.inputs.length === 0) continue;
    const backward = () => {
      const parts = tensor.op.vjp(gradient, tensor.inputs, tensor, tensor.attrs);
      tensor.inputs.forEach((input, i) => {
        const part = parts[i];
        if (!part) return;
        const sum = gradients.get(input);
        gradients.set(input, sum ? sum.add(part) : part);
      });
    };
    withoutSites(() => withLayer(tensor.layer, backward));
  }
  return wanted.map((target, i) => {
    const gradient = gradients.get(target);
    if (gradient) return gradient;
    const operand = targets[i];
    const name = operand instanceof Variable ? `"${operand.name}"` : String(operand);
    throw new GradientError({
      what: "grad",
      facts: `the loss does not depend on ${name}`,
      expected: "only targets the loss can reach",
      hint: "Leave it out, or check that the layer is called and not detached",
      site: loss.site,
    });
  });
}
