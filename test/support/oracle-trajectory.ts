// Guidance training on any backend as trajectory.json records it: the same students, guide, batches and optimizer.

import { alignment, DeepFCN, guidanceLoss, observe } from "@guidance/guidance";
import {
  type Backend,
  compile,
  constant,
  crossEntropy,
  f32,
  type InputSpec,
  i32,
  linearCka,
  type nn,
  optim,
  type Tensor,
  topKCorrect,
} from "@guidance/tensor";
import { norm } from "./oracle-compare.ts";
import { type RecordedGuide, runningStatistics } from "./oracle-guide.ts";
import { loadWeights, makeResNet18 } from "./oracle-models.ts";
import { fixture, images, labels, type TrajectoryRun, type Values } from "./oracle-trajectory-fixture.ts";

/** What a run gave. */
export interface Trajectory {
  readonly ce: readonly number[];
  readonly rep: readonly number[];
  readonly total: readonly number[];
  readonly sims: readonly (readonly [string, number])[];
  readonly gradL2: Values;
  readonly batchesTracked: readonly number[];
  readonly finalL2: Values;
  readonly guideRunningL2: Values | null;
  /** In eval mode on each of the batches. */
  readonly evaluation: readonly Evaluation[];
}

export interface Evaluation {
  readonly ce: number;
  /** Percent of samples whose label has the largest logit. */
  readonly top1: number;
  /** By how much each label's logit exceeds the largest other one. */
  readonly margins: readonly number[];
}

function makeStudent(id: string): DeepFCN {
  const spec = fixture.students.find((candidate) => candidate.id === id);
  if (!spec) throw new Error(`The fixture has no student "${id}"`);
  const { in_features: inputs, first: firstWidth, width, n_mid: middleLayers, classes, dropout, weights } = spec;
  const student = new DeepFCN({ inputs, firstWidth, width, middleLayers, classes, dropout });
  loadWeights(student, weights);
  return student.named("");
}

interface Losses {
  readonly ce: Tensor;
  readonly rep: Tensor;
  readonly total: Tensor;
  readonly sims: readonly (readonly [name: string, term: Tensor])[];
}

type Batch = Readonly<Record<"images" | "labels", Tensor>>;

/** How a run gets its loss: alone, under a guide computed in the step, or under recorded features. */
interface Supervision {
  readonly inputs: Readonly<Record<string, InputSpec>>;
  values(step: number): Readonly<Record<string, ArrayLike<number>>>;
  losses(student: nn.Module, batch: Batch, given: Readonly<Record<string, Tensor>>): Losses;
  /** L2 norms of the guide's running statistics after the run. */
  runningL2(): Promise<Values | null>;
  close(): void;
}

const alone: Supervision = {
  inputs: {},
  values: () => ({}),
  losses(student, batch) {
    const ce = crossEntropy(student.call(batch.images), batch.labels);
    return { ce, rep: constant(0), total: ce, sims: [] };
  },
  runningL2: async () => null,
  close() {},
};

function named(pairs: ReturnType<typeof alignment>["pairs"], terms: readonly Tensor[]) {
  return pairs.map(({ student }, i) => [student.name, terms[i]] as const);
}

/** The whole method as the package has it, guide included. */
function computed({ guide: mode, mode: forwards }: TrajectoryRun): Supervision {
  const guide = makeResNet18(fixture.guide.weights).train(mode === "train");
  return {
    ...alone,
    losses(student, batch) {
      const options = {
        student,
        guide,
        similarity: linearCka,
        alpha: fixture.rep_sim_alpha,
        forwards: forwards ?? "single",
      };
      const result = guidanceLoss(batch.images, batch.labels, options);
      const { crossEntropy: ce, dissimilarity: rep, loss: total, pairs, terms } = result;
      return { ce, rep, total, sims: named(pairs, terms) };
    },
    async runningL2() {
      const norms = runningStatistics(guide).map(
        async ([name, variable]) => [name, norm(await variable.read())] as const,
      );
      return mode === "train" ? Object.fromEntries(await Promise.all(norms)) : null;
    },
    close: () => guide.close(),
  };
}

async function recorded(
  guide: RecordedGuide,
  { guide: mode, mode: forwards, steps }: TrajectoryRun,
): Promise<Supervision> {
  const recordings = await guide.record(mode ?? "eval");
  const [{ features }] = recordings;
  const key = (name: string) => `guide ${name}`;
  return {
    ...alone,
    inputs: Object.fromEntries(features.map(({ name, shape }) => [key(name), f32(...shape)])),
    values(step) {
      const recording = recordings[step % recordings.length];
      return Object.fromEntries(recording.features.map(({ name, data }) => [key(name), data]));
    },
    losses(student, batch, given) {
      const first = observe(student, batch.images);
      const learned = forwards === "notebook" ? observe(student, batch.images) : first;
      const taught = features.map(({ name, path }) => ({ name, path, tensor: given[key(name)] }));
      const { dissimilarity: rep, pairs, terms } = alignment(taught, learned.features, linearCka);
      const ce = crossEntropy(first.output, batch.labels);
      return { ce, rep, total: ce.add(rep.mul(fixture.rep_sim_alpha)), sims: named(pairs, terms) };
    },
    runningL2: async () => (mode === "train" ? guide.runningL2(steps) : null),
  };
}

/** Runs a stored run on a backend; without a recorded guide, the guide is computed in each step. */
export async function train(backend: Backend, run: TrajectoryRun, guide?: RecordedGuide): Promise<Trajectory> {
  const supervision = run.guide === null ? alone : guide ? await recorded(guide, run) : computed(run);
  const student = makeStudent(run.student);
  const { beta1, beta2, eps: epsilon, weight_decay: weightDecay } = fixture.adam;
  const options = { learningRate: run.lr, betas: [beta1, beta2] as const, epsilon, weightDecay };
  const optimizer = new optim.Adam(student.parameters(), options);
  const batchInputs = { images: f32(...images[0].shape), labels: i32(...labels[0].shape) };
  const simNames: string[] = [];
  const series = { ce: [] as number[], rep: [] as number[], total: [] as number[] };
  let sims: [string, number][] = [];
  let gradL2: Values = {};
  try {
    await using step = await compile(backend, { ...batchInputs, ...supervision.inputs }, (given) => {
      const { images, labels, ...others } = given;
      const { sims: terms, ...losses } = supervision.losses(student, { images, labels }, others);
      const gradients = optimizer.gradients(losses.total);
      optimizer.apply(gradients);
      const squares = [...gradients].map(([{ name }, gradient]) => [name, gradient.mul(gradient).sum()] as const);
      simNames.push(...terms.map(([name]) => name));
      const outputs: Record<string, Tensor> = { ...losses, ...Object.fromEntries([...terms, ...squares]) };
      return outputs;
    });
    for (let t = 0; t < run.steps; t++) {
      const batch = t % images.length;
      const values = await step({ images: images[batch].data, labels: labels[batch].data, ...supervision.values(t) });
      for (const name of ["ce", "rep", "total"] as const) series[name].push(values[name].item());
      if (t > 0) continue;
      sims = simNames.map((name) => [name, values[name].item()]);
      const squares = optimizer.parameters.map(({ name }) => [name, Math.sqrt(values[name].item())]);
      gradL2 = Object.fromEntries(squares);
    }
    return {
      ...series,
      sims,
      gradL2,
      guideRunningL2: await supervision.runningL2(),
      ...(await inspect(backend, student)),
    };
  } finally {
    supervision.close();
    optimizer.close();
    student.close();
  }
}

/** The student after its last step: norms of all it holds, and its scores in eval mode on the batches. */
async function inspect(backend: Backend, student: DeepFCN) {
  const finalL2: Record<string, number> = {};
  const batchesTracked: number[] = [];
  for (const [name, variable] of student.namedVariables()) {
    const values = await variable.read();
    if (name.endsWith(".num_batches_tracked")) batchesTracked.push(values[0]);
    else finalL2[name] = norm(values);
  }
  student.eval();
  const inputs = { x: f32(...images[0].shape), y: i32(...labels[0].shape) };
  await using step = await compile(backend, inputs, ({ x, y }) => {
    const logits = student.call(x);
    return { logits, ce: crossEntropy(logits, y), top1: topKCorrect(logits, y, 1).cast("f32").mean().mul(100) };
  });
  const evaluation: Evaluation[] = [];
  for (const [batch, { data }] of images.entries()) {
    const { logits, ce, top1 } = await step({ x: data, y: labels[batch].data });
    const classes = logits.shape[1];
    const margins = Array.from(labels[batch].data, (label, sample) => {
      const row = logits.data.subarray(sample * classes, (sample + 1) * classes);
      return row[label] - Math.max(...row.filter((_, index) => index !== label));
    });
    evaluation.push({ ce: ce.item(), top1: top1.item(), margins });
  }
  return { finalL2, batchesTracked, evaluation };
}
