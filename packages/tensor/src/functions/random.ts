/**
 * Random tensors inside a step. Values are functions of (seed, run counter, site, index), so forward and
 * backward recompute the same mask and nothing is stored. The counter is a host scalar of the generator.
 */
import { ValueError } from "../errors.ts";
import { defaultGenerator, type Generator } from "../random.ts";
import { captureSite, currentLayer, describeSite } from "../scope.ts";
import { elementwise, type Operand, type Tensor } from "../tensor.ts";
import { afterScalars, hostScalar, requireTrace } from "../trace.ts";
import { constant, iota, where } from "../values.ts";

/** Uniform floats in [0, 1), new ones each run, the same on every backend. */
export function uniform(shape: readonly number[], generator: Generator = defaultGenerator): Tensor {
  const trace = requireTrace("uniform");
  const counter = trace.shared(generator, "counter", () => {
    afterScalars(() => {
      generator.counter++;
    });
    // counter 0 belongs to draws on the host (initial values)
    return hostScalar("random counter", () => generator.counter + 1, "u32");
  });
  const seed = constant(generator.seed, { dtype: "u32" });
  const site = constant(trace.nextSite(), { dtype: "u32" });
  return elementwise("unitFromBits", elementwise("randomBits", iota(shape, "u32"), counter, seed, site));
}

/** Normal floats of mean 0 and variance 1 (Box and Muller 1958), new ones each run. */
export function normal(shape: readonly number[], generator: Generator = defaultGenerator): Tensor {
  // 1 - u is never 0, whose logarithm is infinite
  const radius = constant(1).sub(uniform(shape, generator)).log().mul(-2).sqrt();
  return radius.mul(
    uniform(shape, generator)
      .mul(2 * Math.PI)
      .cos(),
  );
}

/** Throws ValueError unless `rate` is in [0, 1): at 1 nothing is left to scale. */
export function requireDropoutRate(rate: number): void {
  if (rate >= 0 && rate < 1) return;
  throw new ValueError({
    what: "dropout",
    path: currentLayer(),
    facts: `the rate is ${rate}`,
    expected: "at least 0 and below 1",
    hint: "Give the part of elements to zero, e.g. 0.5",
    site: describeSite(captureSite()),
  });
}

/** Zeroes elements with probability `rate` in [0, 1) and scales the rest by 1 / (1 - rate) (torch.nn.functional.dropout). */
export function dropout(x: Operand, rate: number, generator?: Generator): Tensor {
  requireDropoutRate(rate);
  if (rate === 0) return x.asTensor();
  const kept = uniform(x.shape, generator).greaterEqual(rate);
  return where(kept, x.mul(1 / (1 - rate)), 0);
}
