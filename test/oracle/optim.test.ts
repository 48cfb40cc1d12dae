// The optimizers against torch.optim on a quadratic: optim.json, 0.5 sum(a (x - b)^2) from x0.

import { type Backend, compile, optim, tensor, Variable } from "@guidance/tensor";
import { describe, expect, test } from "vitest";
import { loadFixture, makeTensor, type RealSpec } from "../support/fixtures.ts";
import { openBackends } from "../support/oracle-backends.ts";
import { expectClose, maxAbs } from "../support/oracle-compare.ts";

/** Arguments in torch's names; what is absent has torch's default. */
interface TorchArguments {
  readonly lr: number;
  readonly betas?: readonly [number, number];
  readonly eps?: number;
  readonly weight_decay?: number;
  readonly momentum?: number;
  readonly nesterov?: boolean;
}

interface OptimFixture {
  readonly loss_rule: string;
  readonly a: RealSpec;
  readonly b: RealSpec;
  readonly x0: RealSpec;
  readonly steps: number;
  readonly runs: readonly {
    readonly id: string;
    readonly optimizer: string;
    readonly args: TorchArguments;
    /** Before each step. */
    readonly loss: readonly number[];
    readonly x_after: readonly { readonly step: number; readonly x: readonly number[] }[];
  }[];
  readonly step_decay: {
    readonly lr0: number;
    readonly rows: readonly { readonly epoch: number; readonly lr: number; readonly x: readonly number[] }[];
  };
}

const fixture = loadFixture<OptimFixture>("optim");

function makeOptimizer(name: string, parameters: readonly Variable[], args: TorchArguments): optim.Optimizer {
  const { lr, betas, eps, weight_decay: weightDecay, momentum, nesterov } = args;
  // an absent argument must not hide the optimizer's own default
  const given = Object.fromEntries(
    Object.entries({ betas, epsilon: eps, weightDecay, momentum, nesterov }).filter(([, value]) => value !== undefined),
  );
  const options = { learningRate: lr, ...given };
  if (name === "Adam") return new optim.Adam(parameters, options);
  if (name === "AdamW") return new optim.AdamW(parameters, options);
  if (name === "SGD") return new optim.SGD(parameters, options);
  throw new Error(`The fixture's optimizer "${name}" is unknown`);
}

/** A step that returns the loss before its update. */
async function compileQuadratic(backend: Backend, name: string, args: TorchArguments) {
  const [a, b, start] = [fixture.a, fixture.b, fixture.x0].map((spec) => makeTensor(spec));
  const x = new Variable(start.shape, start.data, { name: "x" });
  const optimizer = makeOptimizer(name, [x], args);
  const step = await compile(backend, {}, () => {
    const distance = x.sub(tensor(b.data));
    const loss = tensor(a.data).mul(distance).mul(distance).sum().mul(0.5);
    optimizer.minimize(loss);
    return { loss };
  });
  const close = () => {
    step.close();
    optimizer.close();
    x.close();
  };
  return { x, optimizer, step, [Symbol.dispose]: close };
}

test("there are runs of every optimizer", () => {
  expect(new Set(fixture.runs.map(({ optimizer }) => optimizer))).toEqual(new Set(["Adam", "AdamW", "SGD"]));
  expect(fixture.step_decay.rows.length).toBeGreaterThan(0);
});

test("the learning rate of the step decay is exact at every epoch", () => {
  const rate = optim.stepDecay(fixture.step_decay.lr0);
  for (const { epoch, lr } of fixture.step_decay.rows) expect(rate(epoch), `epoch ${epoch}`).toBe(lr);
});

describe.each(await openBackends())("optimizers on $name", (backend) => {
  const relative = backend.precision === "float64" ? 1e-8 : 1e-5;
  const toleranceOf = (expected: ArrayLike<number>) => relative * Math.max(0.01, maxAbs(expected));

  test.each(fixture.runs)("$id: $args", async ({ optimizer: name, args, loss: losses, x_after: after }) => {
    using quadratic = await compileQuadratic(backend, name, args);
    const { x, step } = quadratic;
    const expectedAfter = new Map(after.map((row) => [row.step, row.x]));
    expect(losses).toHaveLength(fixture.steps);
    let compared = 0;
    for (let count = 1; count <= fixture.steps; count++) {
      const { loss } = await step({});
      const expectedLoss = losses[count - 1];
      expectClose([loss.item()], [expectedLoss], relative * expectedLoss, `loss of step ${count}`);
      const expected = expectedAfter.get(count);
      if (!expected) continue;
      compared++;
      expectClose(await x.read(), expected, toleranceOf(expected), `x after step ${count}`);
    }
    expect(compared).toBe(after.length);
  });

  test("Adam follows the step decay", async () => {
    const { lr0, rows } = fixture.step_decay;
    using quadratic = await compileQuadratic(backend, "Adam", { lr: lr0 });
    const { x, optimizer, step } = quadratic;
    const rate = optim.stepDecay(lr0);
    const last = Math.max(...rows.map(({ epoch }) => epoch));
    for (let epoch = 0; epoch <= last; epoch++) {
      optimizer.learningRate = rate(epoch);
      await step({});
      const row = rows.find((candidate) => candidate.epoch === epoch);
      if (row) expectClose(await x.read(), row.x, toleranceOf(row.x), `x after epoch ${epoch}`);
    }
  });
});
