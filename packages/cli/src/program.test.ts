/** Arguments: what they set, and what is refused in one line before anything is opened or written. */
import { execFileSync } from "node:child_process";
import { resolve } from "node:path";
import { checkConfig, defaultConfig, notebookConfig, type TrainConfig } from "@guidance/guidance";
import { Command } from "commander";
import { afterEach, expect, test, vi } from "vitest";
import { describeError } from "./errors.ts";
import { addConfigOptions, buildConfig } from "./options.ts";
import { buildProgram } from "./program.ts";

/** The configuration that `train` would run. */
function configOf(args: string, preset = "default", setup: { config?: string; set?: string[] } = {}): TrainConfig {
  const command = addConfigOptions(new Command()).exitOverride();
  command.parse(args.split(" ").filter(Boolean), { from: "user" });
  return buildConfig(command, { preset, set: [], ...setup });
}

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

/** The line that a command line which is refused ends with. */
async function refusal(...args: string[]): Promise<string> {
  let printed = "";
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    printed += text;
    return true;
  });
  const error: unknown = await buildProgram()
    .parseAsync(args, { from: "user" })
    .catch((error) => error);
  const line = printed || `${describeError(error)}\n`;
  expect(line).toMatch(/^[^\n]+\n$/);
  return line;
}

test("without options a preset stands as it is", () => {
  expect(configOf("")).toEqual(defaultConfig);
  expect(configOf("", "notebook")).toEqual(notebookConfig);
});

test("what has no effect may stand in a preset or a file, and be turned off", () => {
  expect(configOf("--schedule cosine", "notebook")).toMatchObject({ schedule: "cosine", decayEvery: 30 });
  expect(configOf("--schedule cosine --decay-every never", "notebook")).toMatchObject({ decayEvery: null });
  expect(configOf("", "default", { set: ["images.size=32"] }).images.size).toBe(32);
});

test("options change what they name and nothing else", () => {
  expect(configOf("--alpha 1 --guide-steps 0 --no-baseline --lr 3e-3 --layers 20")).toEqual({
    ...defaultConfig,
    alpha: 1,
    baseline: false,
    learningRate: 3e-3,
    guide: { ...defaultConfig.guide, steps: 0 },
    student: { ...defaultConfig.student, layers: 20 },
  });
});

test("weights of the guide are an absolute path, so that the run can be resumed from anywhere", () => {
  expect(configOf("--guide-weights guide.pth").guide.weights).toBe(resolve("guide.pth"));
  expect(configOf("--guide-weights none").guide.weights).toBeNull();
});

test("words stand for null, epochs replace steps, and the other way round", () => {
  expect(configOf("--validate-every never --decay-every 3 --epochs 2")).toEqual({
    ...defaultConfig,
    validateEvery: null,
    decayEvery: 3,
    steps: null,
    epochs: 2,
  });
  expect(configOf("--classes data --decay-every never --steps 5 --validate-first", "notebook")).toEqual({
    ...notebookConfig,
    classes: null,
    decayEvery: null,
    steps: 5,
    epochs: null,
  });
});

test("a shape of made-up images fills in the rest", () => {
  expect(configOf("--dataset synthetic --synthetic-height 8").synthetic).toEqual({
    channels: 1,
    height: 8,
    width: 28,
    classes: 10,
    train: 1024,
    validation: 256,
    test: 256,
  });
});

test.each([
  [["--laers", "4"], "unknown option '--laers' (Did you mean --layers?)"],
  [["--device", "gpuu"], 'Expected one of auto, gpu, lavapipe, swiftshader, cpu. Did you mean "gpu"?'],
  [["--preset", "notebok"], 'Did you mean "notebook"?'],
  [["--guide-mode", "evla"], 'Did you mean "eval"?'],
  [["--last-batch", "keeep"], 'Did you mean "keep"?'],
  [["--layers", "many"], "'--layers <n>' argument 'many' is invalid. Expected a number."],
  [["--layers", "2.5"], "Expected a whole number."],
  [["--layers", "1"], "option --layers: it is 1. Expected a whole number from 2 to 1000."],
  [["--layers", "100000"], "option --layers: it is 100000. Expected a whole number from 2 to 1000."],
  [
    [
      "--dataset",
      "synthetic",
      "--synthetic-height",
      "5000",
      "--synthetic-width",
      "5000",
      "--synthetic-train",
      "100000",
    ],
    'data set "synthetic": 100000 images to train on of 1 x 5000 x 5000 values take 2500.00 GB. Expected at most 4.29 GB',
  ],
  [
    ["--lr", "0", "--dropout", "1"],
    "option --lr: it is 0. Expected a number above 0. option --dropout: it is 1. Expected a number from 0 to below 1.",
  ],
  [["--alpha", "Infinity"], "option --alpha: it is Infinity. Expected a number of at least 0."],
  [["--seed", "4294967295"], "option --seed: it is 4294967295. Expected a whole number from 0 to 4294967294."],
  [["--steps", "0"], "option --steps: it is 0. Expected a whole number of at least 1."],
  [["--decay-every", "0"], "option --decay-every: it is 0. Expected a whole number of at least 1, or never."],
  [["--synthetic-classes", "300"], "option --synthetic-classes: it is 300. Expected a whole number from 1 to 256."],
  [["--steps", "5", "--epochs", "5"], "option '--epochs <n>' cannot be used with option '--steps <n>'"],
  [["--budget", "-1"], "Expected a number of GB above 0."],
  [["--name", "a/b"], 'new run: it is named "a/b". Expected letters, digits, `.`, `_` and `-` only.'],
  [["--student", "deep-fnc"], 'Perhaps you meant "deep-fcn"'],
  [["--dataset", "mnits"], 'Perhaps you meant "mnist"'],
  [["--guide", "resnet81"], 'Perhaps you meant "resnet18"'],
  [["--similarity", "ckaa"], 'Perhaps you meant "cka"'],
  [["--similarity", "svcca"], /"svcca" has no gradient.*Expected one of cka, linear-cka, rbf-cka, rsa, procrustes/],
  [["--plugin", "absent.ts"], /there is no file ".*absent\.ts"/],
  [["--resume", "absent"], 'there is no folder "absent"'],
  [["--resume", "absent", "--steps", "3", "--name", "x"], "--name, --steps cannot be changed"],
  [
    ["--resume", "absent", "--data", "photographs", "--no-baseline", "--quiet"],
    "resume: --data, --baseline cannot be changed. Expected no options but --checkpoint, --device, --budget, --mlflow, --wandb, --logger, --ui",
  ],
  [["--checkpoint", "best"], "option --checkpoint: a new run has no checkpoints. Expected it beside --resume only."],
  [["--schedule", "cosine", "--decay-every", "3"], "option --decay-every: it has no effect on --schedule cosine."],
  [["--decay-factor", "0.5"], "option --decay-factor: it has no effect without --decay-every."],
  [
    ["--dataset", "synthetic", "--data-folder", "x"],
    "option --data-folder: it has no effect on --dataset synthetic. Leave it out, or add --data",
  ],
  [
    ["--image-size", "32", "--workers", "2", "--on-bad-image", "fail"],
    "option --image-size, --workers, --on-bad-image: they have no effect on --dataset mnist. Leave",
  ],
  [["--data", "x", "--synthetic-train", "9"], "option --synthetic-train: it has no effect on images of --data."],
])("train %j is refused", async (args, message) => {
  expect(await refusal("train", ...args)).toMatch(message);
});

test.each([
  ["train", "--student", "deep-fnc"],
  ["train", "--guide", "resnet81"],
  ["train", "--similarity", "ckaa"],
  ["train", "--dataset", "mnits"],
  ["train", "--data", "photographs", "--transform", "centre-crop"],
  ["plan", "--student", "deep-fnc"],
  ["profile", "--student", "deep-fnc"],
  ["tune", "--student", "deep-fnc"],
])("%s %s %s is refused before a device is opened", async (...args) => {
  vi.stubEnv("GUIDANCE_DEVICE", "none"); // which is told when it is opened
  expect(await refusal(...args)).toContain("Perhaps you meant");
});

test.each([
  [["deep-fnc", "resnet18"], /no network and no folder "deep-fnc".*Perhaps you meant "deep-fcn"/],
  [["deep-fcn"], "missing required argument 'modelB'"],
  [["deep-fcn", "."], /"\." is no run of guidance train: it has no config\.json\..*Check the path/],
  [["deep-fcn", "resnet18", "--similarity", "rbf"], /no similarity "rbf".*Perhaps you meant "rbf-cka"/],
  [["deep-fcn", "resnet18", "--similarity", "rsa", "--estimator", "minibatch"], 'no minibatch estimate of "rsa"'],
  [["deep-fcn", "resnet18", "--estimator", "batches"], "Expected one of full, minibatch."],
  [["deep-fcn", "resnet18", "--samples", "1"], "Expected a whole number from 2 on."],
  [["deep-fcn", "resnet18", "--out", "package.json"], 'compare: "package.json" is a file. Expected a folder'],
  [
    ["deep-fcn", "resnet18", "--out", "package.json/out"],
    'the folder "package.json/out" cannot be made (part of the path is a file)',
  ],
  [["deep-fcn", "resnet18", "--layers", "1"], "option --layers: it is 1. Expected a whole number from 2 to 1000."],
])("compare %j is refused", async (args, message) => {
  expect(await refusal("compare", ...args)).toMatch(message);
});

test.each([
  ["report", "run", "--out", "src"],
  ["report", "run", "--out", "src", "--force"],
])("%s does not write where there is a folder", async (...args) => {
  expect(await refusal(...args)).toContain('there is a folder "src". Expected the name of a file');
});

test("an unknown command is refused with the nearest one", async () => {
  expect(await refusal("trian")).toBe("error: unknown command 'trian' (Did you mean train?)\n");
});

test("a field that no option sets is named as one of the configuration", () => {
  const student = { ...defaultConfig.student, depth: 3 };
  let error: unknown;
  try {
    checkConfig({ ...defaultConfig, colour: "red", student });
  } catch (thrown) {
    error = thrown;
  }
  expect(describeError(error)).toBe(
    'configuration "student": there is no field "depth". Expected the fields of a configuration. ' +
      'configuration: there is no field "colour". Expected the fields of a configuration.',
  );
});

test("help says what every option does, and its default", () => {
  const train = buildProgram().commands.find((command) => command.name() === "train");
  const help = (train?.helpInformation() ?? "").replace(/\s+/g, " ");
  for (const text of [
    "--no-validate-first no validation before the first step",
    "--no-baseline only the student with guide",
    "--decay-every <epochs> each time so many epochs have passed, or never (default: never)",
    "--classes <n> outputs of both networks, or data for the classes there are (default: data)",
    "--synthetic-height <n> their height (default: 28)",
    "--synthetic-train <n> how many to train on (default: 1024)",
  ]) {
    expect(help).toContain(text);
  }
});

test.each([
  [["profile", "--trace", "nowhere/trace.json"], 'profile: there is no folder "nowhere"'],
  [["profile", "--trace", "."], 'profile: there is a folder "."'],
  [["fetch", "a/b", "package.json"], 'fetch: "package.json" is a file'],
])("%j is refused before a device is opened or anything is asked for", async (args, message) => {
  expect(await refusal(...args)).toContain(message);
});

/** What `--help` of a command prints. */
function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({ writeOut: (part) => (text += part) }).outputHelp();
  return text;
}

test("every command's help has examples, which are of that command and take its options", () => {
  const program = buildProgram();
  expect(helpOf(program)).toMatch(/Exit status: 0 done, 1 an error.*130 and 143/s);
  for (const command of program.commands) {
    const examples = helpOf(command).split("Examples:\n")[1] ?? "";
    const lines = examples.split("\n").filter((line) => line.startsWith("  guidance "));
    expect(lines.length, command.name()).toBeGreaterThan(0);
    for (const line of lines) {
      expect(line).toMatch(new RegExp(`^  guidance ${command.name()}( |$)`));
      for (const flag of line.match(/--[a-z-]+/g) ?? [])
        expect(
          command.options.map(({ long }) => long),
          line,
        ).toContain(flag);
    }
  }
});

test("shells get every command with its options", async () => {
  const scripts: string[] = [];
  vi.spyOn(console, "log").mockImplementation((text) => scripts.push(text));
  for (const shell of ["bash", "zsh", "fish"]) await buildProgram().parseAsync(["completion", shell], { from: "user" });
  for (const script of scripts) {
    for (const word of ["train", "compare", "accumulate", "checkpoint"]) expect(script).toContain(word);
  }
  const complete = (line: string) => {
    const words = line.split(" ");
    const ask = `COMP_WORDS=(${words.map((word) => `"${word}"`).join(" ")}); COMP_CWORD=${words.length - 1}; _guidance; echo "\${COMPREPLY[@]}"`;
    return execFileSync("bash", ["-c", `${scripts[0]}\n${ask}`])
      .toString()
      .trim();
  };
  expect(complete("guidance pl")).toBe("plot plan");
  expect(complete("guidance train --accu")).toBe("--accumulate");
  expect(complete("guidance train --device ")).toBe("auto gpu lavapipe swiftshader cpu");
  expect(complete("guidance train --device = sw")).toBe("swiftshader"); // bash cuts words at =
  expect(complete("guidance train --arm =")).toBe("");
  expect(complete("guidance eval run --arm =")).toBe("guided unguided");
  expect(complete("guidance train --dataset c")).toBe("cifar10 cifar100");
  expect(complete("guidance eval run --arm ")).toBe("guided unguided");
  expect(complete("guidance export run out.pth --arm g")).toBe("guided guide");
  expect(complete("guidance compare a b --similarity sv")).toBe("svcca");
  expect(complete("guidance fetch a b --split t")).toBe("train test");
  expect(complete("guidance completion ")).toBe("bash zsh fish");
  expect(complete("guidance help sch")).toBe("schema");
  expect(complete("guidance train --name ")).toBe("");
  expect(await refusal("completion", "tcsh")).toMatch(/the shell is "tcsh"\. Expected one of bash, zsh, fish/);
});
