// Layers, activations and losses against torch: outputs, gradients of every input and running statistics of ops.json.

import { compile, f32, grad, type InputSpec, i32, type Operand, type Tensor, tensor } from "@guidance/tensor";
import { describe, expect, test } from "vitest";
import { type FixtureTensor, type IntegerSpec, loadFixture, makeTensor, type RealSpec } from "../support/fixtures.ts";
import { openBackends } from "../support/oracle-backends.ts";
import { expectClose, maxAbs } from "../support/oracle-compare.ts";
import { type OpAttrs, opBuilders } from "../support/oracle-ops.ts";

type Stored = FixtureTensor<readonly number[]>;

interface OpCase {
  readonly id: string;
  readonly op: string;
  readonly attrs: OpAttrs;
  readonly inputs: Readonly<Record<string, RealSpec | IntegerSpec>>;
  /** With what they are multiplied in the loss; accuracy has no loss. */
  readonly outputs: Readonly<Record<string, Stored & { readonly fixed?: RealSpec }>>;
  readonly loss?: number;
  readonly grads?: Readonly<Record<string, Stored>>;
  /** Running statistics after one forward. */
  readonly after?: Readonly<Record<string, Stored>>;
}

/** Ops that the engine does not have yet. Building one means deleting it here. */
const notBuilt = ["embedding", "lstm", "multihead_attention", "rnn"];

const { cases } = loadFixture<{ cases: OpCase[] }>("ops");
const isBuilt = ({ op }: OpCase) => op in opBuilders;

test("exactly the ops listed as not built are not built", () => {
  const missing = cases.filter((entry) => !isBuilt(entry)).map(({ op }) => op);
  expect([...new Set(missing)].sort()).toEqual(notBuilt);
});

test("there is a case of every op that is built", () => {
  expect(new Set(cases.filter(isBuilt).map(({ op }) => op))).toEqual(new Set(Object.keys(opBuilders)));
});

for (const { id, op } of cases.filter((entry) => !isBuilt(entry))) test.todo(`${id} (${op}) is not built`);

/** Size of the loss or of its largest term: it is a sum that may cancel, so its rounding errors are relative to these. */
function lossScale({ outputs, loss = 0 }: OpCase): number {
  const terms = Object.values(outputs).flatMap(({ data, fixed }) => {
    return fixed ? Array.from(makeTensor(fixed).data, (factor, i) => factor * data[i]) : [];
  });
  return Math.max(0.01, Math.abs(loss), maxAbs(terms));
}

/** sum over the outputs of sum(output * fixed), in the order of the outputs. */
function lossOf(outputs: Readonly<Record<string, Tensor>>, { outputs: stored }: OpCase): Tensor | undefined {
  const terms = Object.entries(stored).flatMap(([name, { fixed }]) => {
    return fixed ? [outputs[name].mul(tensor(makeTensor(fixed).data, fixed.shape)).sum()] : [];
  });
  return terms.length > 0 ? terms.reduce((sum, term) => sum.add(term)) : undefined;
}

describe.each(await openBackends())("ops on $name", (backend) => {
  // In float64 what nine stored digits allow, in float32 the README's tolerances.
  const wide = backend.precision === "float64";
  const [outputTolerance, gradientTolerance] = wide ? [1e-8, 1e-8] : [1e-5, 1e-4];

  function expectTensor(
    actual: FixtureTensor<ArrayLike<number>>,
    { shape, data }: Stored,
    factor: number,
    what: string,
  ) {
    expect(actual.shape, `${what}: shape`).toEqual(shape);
    expectClose(actual.data, data, factor * Math.max(0.01, maxAbs(data)), what);
  }

  test.each(cases.filter(isBuilt))("$id", async (entry) => {
    const { op, attrs, inputs, outputs: stored, loss: expectedLoss, grads = {}, after = {} } = entry;
    const shapes = Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape]));
    const built = opBuilders[op](attrs, shapes);
    const variables = new Map(built.module?.namedVariables());
    const specs: Record<string, InputSpec> = {};
    const batch: Record<string, ArrayLike<number>> = {};
    for (const [name, spec] of Object.entries(inputs)) {
      const { data, shape } = makeTensor(spec);
      const variable = variables.get(name);
      if (variable) {
        expect(variable.shape, name).toEqual(shape);
        variable.write(data);
      } else {
        specs[name] = name === "target" ? i32(...shape) : f32(...shape);
        batch[name] = data;
      }
    }

    await using step = await compile(backend, specs, (given) => {
      const outputs = built.outputs(given);
      const loss = lossOf(outputs, entry);
      const targets: Operand[] = Object.keys(grads).map((name) => variables.get(name) ?? given[name]);
      const gradients = loss ? grad(loss, targets) : [];
      const named = Object.keys(grads).map((name, i): [string, Tensor] => [`gradient of ${name}`, gradients[i]]);
      const all: Record<string, Tensor> = { ...outputs, ...Object.fromEntries(named), ...(loss && { loss }) };
      return all;
    });
    const results = await step(batch);

    for (const [name, expected] of Object.entries(stored)) expectTensor(results[name], expected, outputTolerance, name);
    if (expectedLoss !== undefined) {
      expectClose(results.loss.data, [expectedLoss], outputTolerance * lossScale(entry), "loss");
      expect(Object.keys(grads).length).toBeGreaterThan(0);
    }
    for (const [name, expected] of Object.entries(grads)) {
      expectTensor(results[`gradient of ${name}`], expected, gradientTolerance, `gradient of ${name}`);
    }
    for (const [name, expected] of Object.entries(after)) {
      const variable = variables.get(name);
      if (!variable) throw new Error(`"${name}" is no variable of the module`);
      expectTensor({ shape: variable.shape, data: await variable.read() }, expected, outputTolerance, `${name} after`);
    }
    built.module?.close();
  });
});
