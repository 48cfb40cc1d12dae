/**
 * Whether both networks and the similarity fit together, known from one forward pass on shapes alone. They may be a
 * plugin's, so each is checked for all that training takes for granted, and named where it lacks some of it.
 */
import {
  constant,
  formatShape,
  GradientError,
  grad,
  type nn,
  ShapeError,
  Tensor,
  ValueError,
  Variable,
} from "@guidance/tensor";
import type { ImageFormat } from "../data/source.ts";
import { type Feature, featureLayers, observe } from "../features/observe.ts";
import { pairLayers } from "../features/pair.ts";
import { similarityOf } from "../method/similarity.ts";
import { describeValue, runOwn } from "../own-code.ts";
import { buildGuide, buildStudent, imageTask } from "./build.ts";
import type { TrainConfig } from "./config.ts";

/** Throws, naming what does not fit, unless student and guide can be trained and aligned on images of this format. */
export function checkNetworks(config: TrainConfig, splits: { readonly train: ImageFormat }): void {
  const task = imageTask(config, splits);
  const images = constant(0).broadcast([config.batchSize, task.channels, task.height, task.width]);
  const features = (what: string, model: nn.Module) => {
    const { output, features } = runOwn(what, () => observe(model.eval(), images));
    checkLogits(what, output, images, task.classes);
    checkVariables(what, model, output);
    checkFeatures(what, features);
    return features;
  };
  const guide = features(`guide "${config.guide.name}"`, buildGuide(config, splits).model);
  const student = features(`student "${config.student.name}"`, buildStudent(config, splits).model);
  checkSimilarity(config.similarity, guide, student);
}

function checkLogits(what: string, output: unknown, { shape: images }: Tensor, classes: number): void {
  if (!(output instanceof Tensor)) {
    throw new ValueError({
      what,
      facts: `its forward returned ${describeValue(output)}`,
      expected: `a Tensor, the logits ${formatShape([images[0], classes])}`,
    });
  }
  const { shape } = output;
  if (shape.length === 2 && shape[0] === images[0] && shape[1] === classes) return;
  throw new ShapeError({
    what,
    facts: `images ${formatShape(images)} become ${formatShape(shape)}`,
    expected: `logits ${formatShape([images[0], classes])}`,
    hint: `The networks get ${images[1] * images[2] * images[3]} values an image and give one logit a class`,
  });
}

/** What is no property of a module is found by no optimizer and no checkpoint, though the forward pass uses it. */
function checkVariables(what: string, model: nn.Module, output: Tensor): void {
  const own = new Set(model.namedVariables().map(([, variable]) => variable));
  const strangers = [...variablesOf(output)].filter((variable) => !own.has(variable));
  const hint = "Assign each layer to a property of its module; a list of layers goes into nn.Sequential";
  if (strangers.length > 0) {
    const shapes = strangers.slice(0, 3).map(({ shape }) => formatShape(shape));
    throw new ValueError({
      what,
      facts: `${strangers.length} Variables that it uses, of shapes ${shapes.join(", ")}${strangers.length > 3 ? "..." : ""}, are not its own`,
      expected: "all of them among its namedVariables()",
      hint,
    });
  }
  if (model.parameters().length > 0) return;
  throw new ValueError({ what, facts: "it has no parameters", expected: "some that can be trained", hint });
}

/** The Variables that a tensor is computed from. */
function variablesOf(output: Tensor): Set<Variable> {
  const seen = new Set<Tensor>();
  const variables = new Set<Variable>();
  for (const open = [output]; open.length > 0; ) {
    const tensor = open.pop()!;
    if (seen.has(tensor)) continue;
    seen.add(tensor);
    open.push(...tensor.inputs);
    const { variable } = (tensor.attrs ?? {}) as { readonly variable?: unknown };
    if (variable instanceof Variable) variables.add(variable);
  }
  return variables;
}

function checkFeatures(what: string, features: readonly Feature[]): void {
  if (features.length > 0) return;
  const names = [...featureLayers].map(({ name }) => name);
  throw new ValueError({
    what,
    facts: "it has no layer to align: of those that have features the last, its output, is left out",
    expected: `at least two layers of ${names.join(", ")}, each a property of its module`,
  });
}

/** All pairs give a scalar; the first one a derivative as well, which depends on no shape. */
function checkSimilarity(name: string, guide: readonly Feature[], student: readonly Feature[]): void {
  const similarity = similarityOf(name);
  const pairs = pairLayers(guide, student);
  const [first] = pairs.map(({ student, guide }) => similarity(student.tensor, guide.tensor.detach()));
  try {
    grad(first, [pairs[0].student.tensor]);
  } catch (error) {
    if (!(error instanceof GradientError)) throw error;
    const { what, facts } = error.parts;
    throw new GradientError({
      what: `similarity "${name}"`,
      facts: `it has no derivative in its first argument, the student's features (${what}: ${facts})`,
      expected: "ops that have one, from the features to the scalar",
      hint: "guidance compare takes it as it is",
      site: error.parts.site,
    });
  }
}
