// What each command of the pages prints, and which files it leaves.

import { join } from "node:path";

interface Outcome {
  /** What standard output matches; a group of it is the path of what is there. */
  readonly prints: RegExp;
  /** Files and folders that are there in the end, and nothing before. */
  readonly leaves?: (args: readonly string[]) => readonly string[];
}

/** The value of an option. */
function optionOf(args: readonly string[], flag: string): string | undefined {
  return args.includes(flag) ? args[args.lastIndexOf(flag) + 1] : undefined;
}

const compared = ["compare.svg", "compare.png", "compare.csv", "compare.json"];
const given = (...paths: (string | undefined)[]): string[] => paths.filter((path) => path !== undefined);

/** By command. */
const outcomes: Readonly<Record<string, Outcome>> = {
  train: {
    prints: /^student with guide, last weights .*%[\s\S]*^weights, metrics and summary are in (\S+)$/m,
    leaves: (args) => given(optionOf(args, "--folder")),
  },
  eval: { prints: /^(?:un)?guided, (?:last|best) \(step \d+\), .*\n12 images +[\d.]+ /m },
  predict: { prints: /^cat\.jpg\n(?: {2}\w+ +[\d.]+ %\n)+dog\.jpg\n(?: {2}\w+ +[\d.]+ %\n)+$/ },
  compare: {
    prints: /^rows: \S+, columns: \S+$/m,
    leaves: (args) => compared.flatMap((file) => given(optionOf(args, "--out")).map((folder) => join(folder, file))),
  },
  report: { prints: /^the report is in (\S+)$/m, leaves: (args) => [optionOf(args, "--out") ?? "report.html"] },
  plot: { prints: /^\S+ is in (\S+)$/m, leaves: (args) => given(optionOf(args, "--out")) },
  plan: { prints: /^the run needs .* the budget of /m },
  summary: { prints: /^(?:student|guide)\b[\s\S]*\bparameters\b/m },
  profile: {
    prints: /^kind +kernels +time[\s\S]*^trace in (\S+)$/m,
    leaves: (args) => [optionOf(args, "--trace") ?? "profile-trace.json"],
  },
  tune: { prints: /^[1-9]\d* sizes measured in .* is in (.*\.json)$/m },
  doctor: { prints: /^every kernel is right$/m },
  fetch: { prints: /^[12] shards are in (.*);/m, leaves: (args) => [join(args[2], "data")] },
  import: { prints: /^wrote (\S+): \d+ tensors, /m, leaves: (args) => [args[2]] },
  export: { prints: /^wrote (\S+): \d+ tensors, /m, leaves: (args) => [args[2]] },
  schema: { prints: /"title": ?"guidance configuration"/ },
  completion: { prints: /complet[\s\S]*--inspect-every/ },
};

/** Of a line of `guidance`; throws for a command of which nothing is known. */
export function outcomeOf(args: readonly string[]): Outcome {
  const [command] = args;
  if (args.includes("--help")) return { prints: new RegExp(`^Usage: guidance ${command} `) };
  if (args.includes("--json")) return { prints: /^\{.*\}$/m };
  const outcome = outcomes[command];
  if (outcome === undefined) throw new Error(`nothing is known of what "${command}" prints`);
  return outcome;
}
