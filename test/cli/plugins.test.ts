// What is wrong with a plugin is said in one line that names the file or the thing it registers, before anything runs.

import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test } from "vitest";
import { mustRun } from "../support/command.ts";
import { guidance, runFolder, scratch, tiny } from "./command.ts";

const fresh = scratch();
const cwd = fresh();

const imports = `
import { datasets, guides, similarities, students, transforms } from "@guidance/guidance";
import { argMax, constant, nn } from "@guidance/tensor";
`;

/** A student `name` whose forward is `forward`. */
const student = (name: string, forward: string, layers = "a = new nn.Linear(64, 8); b = new nn.Linear(8, 4);") => `
class Mine extends nn.Module { ${layers} forward(x) { ${forward} } }
students.register("${name}", () => new Mine());`;

const images = `{ name: "x", channels: 1, height: 8, width: 8, classes: 4, mean: [0], std: [1], count: 48,
  images: new Uint8Array(48 * 64), labels: new Uint8Array(48) }`;
const splits = (train: string) => `{ train: ${train}, validation: ${images}, test: ${images} }`;

/** Name of the file, its text, options beside --plugin, and the line. */
const cases: [file: string, text: string, args: string, line: RegExp][] = [
  ["nothing.ts", "export const unused = 1;", "", /nothing\.ts" registers nothing: what it exports \(unused\) is not/],
  [
    "object.ts",
    "export default { students: {} };",
    "",
    /exports \(default\) is not looked at\. Expected a call of students/,
  ],
  [
    "empty.mts",
    "",
    "",
    /empty\.mts" registers nothing\. Expected a call of students\.register\(\.\.\.\), .*transforms/,
  ],
  ["data.json", "{}", "", /data\.json" is no module\. Expected a \.ts, \.mts, \.js or \.mjs file\./],
  ["absent.ts", "", "", /there is no file ".*absent\.ts"\. Expected a \.ts/],
  ["folder", "", "", /folder" is a folder\. Expected a \.ts/],
  ["syntax.ts", "const = 3;", "", /syntax\.ts" cannot be loaded \(.*syntax\.ts:1:6: ERROR: /],
  ["package.ts", 'import "no-such-package";', "", /package\.ts" cannot be loaded \(.*no-such-package/],
  ["relative.ts", 'import "./gone.ts";', "", /relative\.ts" cannot be loaded \(.*gone\.ts/],
  [
    "typo.ts",
    'import { studnets } from "@guidance/guidance"; studnets.register("a");',
    "",
    /typo\.ts" cannot be loaded \(.*studnets/,
  ],
  ["throws.ts", 'throw new Error("out of\\norder.");', "", /throws\.ts" cannot be loaded \(out of order\)/],
  ["string.ts", 'throw "a string";', "", /string\.ts" cannot be loaded \(a string\)/],
  ["taken.ts", 'students.register("deep-fcn", () => new nn.ReLU());', "", /taken\.ts" .*the name "deep-fcn" is taken/],
  [
    "reserved.ts",
    'similarities.register("svcca", (x) => x.sum());',
    "",
    /the name "svcca" is taken\. Expected a name other than .*procrustes.*, svcca, pwcca/,
  ],
  [
    "entry.ts",
    'guides.register("entry", new nn.ReLU());',
    "",
    /register guide: "entry" is an object of class ReLU\. Expected a/,
  ],
  [
    "name.ts",
    "students.register(() => new nn.ReLU());",
    "",
    /its name is the function .*register\(name, \(task, settings\)/,
  ],

  [
    "class.ts",
    'class A extends nn.Module {}; students.register("class", A);',
    "--student class",
    /student "class": it threw .*without 'new'/,
  ],
  [
    "none.ts",
    'students.register("none", () => { nn; });',
    "--student none",
    /student "none": the function that builds it returned undefined/,
  ],
  [
    "late.ts",
    'students.register("late", async () => new nn.ReLU());',
    "--student late",
    /returned a promise\. Expected a network/,
  ],
  [
    "broken.ts",
    '\nguides.register("broken", (task) => task.size.x);',
    "--guide broken",
    /guide "broken": it threw TypeError: .*at .*broken\.ts:5:\d+$/,
  ],
  [
    "undefined.ts",
    student("undefined", "this.a.call(x.flatten());"),
    "--student undefined",
    /its forward returned undefined\. Expected a Tensor, the logits \[16, 4\]/,
  ],
  [
    "fails.ts",
    student("fails", 'throw new RangeError("no");'),
    "--student fails",
    /student "fails": it threw RangeError: no\. at .*fails\.ts:5/,
  ],
  [
    "shape.ts",
    student("shape", "return this.a.call(x.flatten());"),
    "--student shape",
    /\[16, 1, 8, 8\] become \[16, 8\]\. Expected logits \[16, 4\]/,
  ],
  [
    "bare.ts",
    student("bare", "return this.b.call(x.flatten().slice([0, 0], [16, 8]));"),
    "--student bare",
    /it has no layer to align/,
  ],
  [
    "list.ts",
    student(
      "list",
      "return this.last.call(this.list[0].call(x.flatten()));",
      "list = [new nn.Linear(64, 8)]; last = new nn.Linear(8, 4);",
    ),
    "--student list",
    /2 Variables that it uses, of shapes \[8\], \[8, 64\], are not its own.*nn\.Sequential/,
  ],
  [
    "fixed.ts",
    student("fixed", "return x.flatten().slice([0, 0], [16, 4]);", ""),
    "--student fixed",
    /it has no parameters/,
  ],

  [
    "number.ts",
    'similarities.register("number", () => 1);',
    "--similarity number",
    /it is 1\. Expected a scalar, a Tensor f32/,
  ],
  [
    "matrix.ts",
    'similarities.register("matrix", (x) => x);',
    "--similarity matrix",
    /it is f32\[16, \d+\]\. Expected a scalar.*Reduce/,
  ],
  [
    "bool.ts",
    'similarities.register("bool", (x) => x.sum().greater(0));',
    "--similarity bool",
    /it is bool\[\]\. Expected a scalar/,
  ],
  [
    "steps.ts",
    'similarities.register("steps", (x) => x.flatten().sign().mean());',
    "--similarity steps",
    /similarity "steps": it has no derivative in its first/,
  ],
  [
    "constant.ts",
    'similarities.register("constant", (x, y) => y.mean());',
    "--similarity constant",
    /no derivative in its first argument/,
  ],
  [
    "sizes.ts",
    'similarities.register("sizes", (x, y) => x.flatten().mul(y.flatten()).sum());',
    "--similarity sizes",
    /sizes\.ts:\d+/,
  ],

  [
    "loader.ts",
    'datasets.register("loader", async () => undefined);',
    "--dataset loader",
    /its loader gave undefined\. Expected \{ train, validation, test \}/,
  ],
  [
    "split.ts",
    `datasets.register("split", async () => ({ train: ${images} }));`,
    "--dataset split",
    /its split "validation" is undefined/,
  ],
  [
    "fields.ts",
    `datasets.register("fields", async () => (${splits("{ name: 1 }")}));`,
    "--dataset fields",
    /its split "train" lacks channels, .*labels\. Expected an ImageDataset, which has name/,
  ],
  [
    "types.ts",
    `datasets.register("types", async () => (${splits(`{ ...${images}, labels: [1, 2] }`)}));`,
    "--dataset types",
    /labels of its split "train" is an array of 2\. Expected a Uint8Array/,
  ],
  [
    "source.ts",
    `datasets.register("source", async () => (${splits(`{ ...${images}, batches() {} }`)}));`,
    "--dataset source",
    /lacks hash, close\. Expected an ImageSource/,
  ],
  [
    "offline.ts",
    'datasets.register("offline", async () => { throw new Error("no net."); });',
    "--dataset offline",
    /data set "offline": it threw Error: no net\. at .*offline/,
  ],

  [
    "small.ts",
    'transforms.register("small", () => new Uint8Array(3));',
    "--data . --transform small",
    /transform "small": of 96 x 64 pixels it made 3 values\. Expected a Uint8Array of 150528/,
  ],
  [
    "array.ts",
    'transforms.register("array", () => []);',
    "--data . --train-transform array",
    /it made an array of 0\. Expected/,
  ],
  [
    "crash.ts",
    'transforms.register("crash", (pixels) => pixels.colour.length);',
    "--data . --transform crash",
    /transform "crash": it threw TypeError: .*crash\.ts:4/,
  ],
  [
    "unknown.ts",
    'transforms.register("known", () => new Uint8Array());',
    "--data . --transform knwon",
    /no transform "knwon".*Perhaps you meant "known"/,
  ],
];

let lines: string[];
beforeAll(async () => {
  const sizes = tiny.indexOf("--batch");
  const commands = cases.map(([file, text, args]) => {
    const path = join(cwd, file);
    if (file === "folder") mkdirSync(path);
    else if (file !== "absent.ts") writeFileSync(path, /register/.test(text) ? imports + text : text);
    const data = /--data/.test(args) ? [] : tiny.slice(2, sizes);
    const given = ["--device", "cpu", ...data, ...tiny.slice(sizes), ...args.split(" ").filter(Boolean)];
    // `plan` has all options of `train` but those of data that are not used
    return ["plan", "--plugin", path, ...given];
  });
  const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));
  const hooks = file("../../packages/cli/bin/hooks.mjs");
  const run = [
    "--enable-source-maps",
    "--import",
    "tsx",
    "--import",
    hooks,
    file("refusals.ts"),
    JSON.stringify(commands),
  ];
  const stdout = await mustRun(process.execPath, run, { cwd: file("../../packages/cli") });
  lines = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
});

test.each(cases.map(([file, , , line], index) => [file, line, index] as const))("%s", (_file, line, index) => {
  expect(lines[index]).toMatch(line);
  expect(lines[index]).not.toContain("\n");
});

test("the command prints the line alone; --debug shows where it came from", async () => {
  const folder = fresh();
  writeFileSync(join(folder, "mine.ts"), 'import "node:fs";\n\nnull.x;\n');
  const args = ["train", ...tiny, "--plugin", "mine.ts"];
  const { status, stderr } = await guidance(args, { cwd: folder });
  expect(status).toBe(1);
  expect(stderr).toMatch(/^error: plugin: ".*mine\.ts" cannot be loaded \(TypeError: [^\n]*\)\.\n$/);
  expect((await guidance([...args, "--debug"], { cwd: folder })).stderr).toMatch(
    /caused by TypeError.*\n.*mine\.ts:3:/,
  );
});

test("a transform is found by the threads that decode, by predict too", async () => {
  const folder = fresh();
  const photographs = fileURLToPath(new URL("../fixtures/images/", import.meta.url));
  for (const place of ["train/a", "train/b", "val/a", "val/b"]) {
    for (const name of ["colour.jpg", "turned.jpg"]) cpSync(join(photographs, name), join(folder, "data", place, name));
  }
  // TypeScript that imports the packages by name, in a folder that knows nothing of them
  writeFileSync(
    join(folder, "mine.ts"),
    `import { evaluationTransform, type PixelTransform, trainingTransform, transformImage, transforms } from "@guidance/guidance";
    const darker: PixelTransform = (pixels, { size, key, uniform }) => {
      const scale: number = 0.5 + uniform() / 2;
      return transformImage(pixels, trainingTransform({ size, flip: 0 }), key).map((value) => scale * value);
    };
    transforms.register("darker", darker);
    transforms.register("whole", (pixels, { size, key }) => transformImage(pixels, evaluationTransform({ size, resize: size }), key));`,
  );
  const sizes = "--device cpu --image-size 16 --workers 1 --batch 4 --steps 2 --layers 4 --first-width 6 --width 6";
  const own = "--data data --plugin mine.ts --train-transform darker --transform whole --guide-width 2 --guide-steps 0";
  const trained = await guidance(`train ${sizes} ${own} --no-baseline`.split(" "), { cwd: folder });
  expect(trained.stdout, trained.output).toMatch(/^guided +2\/2 +loss/m);
  const run = runFolder(trained.stdout);
  const predicted = await guidance(["predict", "--run", run, join(photographs, "colour.jpg"), "--device", "cpu"], {
    cwd: folder,
  });
  expect(predicted.status, predicted.output).toBe(0);
});
