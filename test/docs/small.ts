// What makes a line of the pages small enough for a test. Sizes stand before the line's own options, which go over them; what of a
// line itself would take too long, or is not on this machine, is replaced, and the table says why.

import { tinyData, tinyGuide, tinyNetworks, tinySteps } from "../cli/command.ts";
import { tinyPhotographs } from "./world.ts";

/** Where the servers that lines speak to are, and a file for figures. */
export interface Places {
  readonly server: string;
  readonly figures: string;
}

/** Words that are replaced in a line. */
export const replaced: readonly (readonly [words: RegExp, by: (places: Places) => string, reason: string])[] = [
  [/~(?=\/)/g, () => "home", "a shell does that"],
  [/http:\/\/localhost:5000/, ({ server }) => server, "no MLflow runs here"],
  [/--port 8080/, () => "--port 0", "the port may be taken"],
  [/^example browser( 8080)?$/, () => "example browser 0", "the port may be taken"],
  [/--batch (64|256|512)\b/, () => "--batch 8", "there are 8 photographs and 48 other images"],
  [/--samples (5000|10000)\b/, () => "--samples 8", "there are fewer, and each takes its time"],
  [/--layers 100\b/, () => "--layers 10", "to plan them takes seconds"],
  [/--steps 100\b/, () => "--steps 10", "each takes its time"],
  [/^train --ui$/, () => "train --ui --steps 100000 --guide-steps 0", "it goes on until its page was seen"],
  [/--full --batch 4/, () => "--full --batch 2 --budget 1", "it takes 8 GB and half a minute: planned, then refused"],
  [/bench --peers/, ({ figures }) => `bench --only normalization --json ${figures}`, "peers come from the network"],
];

const cpu = ["--device", "cpu"];
const flags = (text: string): readonly string[] => text.split(" ");

/** Of a training, or what looks at one. */
function training(args: readonly string[]): readonly string[] {
  const networks = args.includes("--config") ? flags("--guide-width 2") : tinyNetworks;
  // the run that lines speak of has trained one
  const guide = [...networks, ...tinyGuide, ...flags("--guide-steps 0")];
  if (args.includes("--data")) return [...tinyPhotographs, ...guide];
  // their 5000 images for validation are seen after each of the few steps
  const once = [...tinySteps, ...flags("--steps 1"), ...guide];
  if (args.includes("fashion-mnist")) return [...flags("--data-folder home/fashion-mnist"), ...once];
  if (args.includes("cifar10")) return once;
  return [...tinyData, ...tinySteps, ...guide];
}

/** Networks of a run have its images and sizes. */
function comparison([, model, ...args]: readonly string[]): readonly string[] {
  if (model.startsWith("runs/")) return [];
  // of photographs for test there are too few for an unbiased estimate
  const images = args.includes("--data") ? flags("--image-size 16 --workers 1 --split train") : tinyData;
  return [...images, ...tinyNetworks];
}

const sizes: Readonly<Record<string, (args: readonly string[]) => readonly string[]>> = {
  train: (args) => (args.includes("--resume") ? cpu : [...cpu, "--no-baseline", ...training(args)]),
  // the less memory there is, the shorter the search for the largest batch
  plan: (args) => [...cpu, ...flags("--budget 0.0001"), ...training(args)],
  summary: training,
  profile: training,
  // an unguided step has none of the guide's kernels
  tune: (args) => [...training(args), ...flags("--step unguided --layers 2")],
  eval: () => cpu,
  predict: () => cpu,
  compare: (args) => [...cpu, ...flags("--samples 12"), ...comparison(args)],
  bench: () => flags("--rounds 1"),
};

/** The words of a command with what stands in the table replaced. */
export function replace(words: readonly string[], places: Places): string[] {
  const text = replaced.reduce((line, [pattern, by]) => line.replace(pattern, by(places)), words.join(" "));
  return text.split(" ");
}

/** The arguments of `guidance` with sizes before them. */
export function withSizes([command, ...args]: readonly string[]): string[] {
  const smaller = args.includes("--help") ? [] : (sizes[command]?.([command, ...args]) ?? []);
  return [command, ...smaller, ...args];
}
