/**
 * What half-precision operands would give on this device: the engine's own kernels with every f32 operand of a core declared
 * as f16 and converted when it is loaded, against the same kernels as they are, in turn. Only the text of the shaders
 * changes, so results mean nothing, and only times are printed: `node --import tsx src/half.ts` in the folder bench.
 */
import { createBackend, openDevice } from "@guidance/shaders";
import { type Backend, compile, type Operand, Variable } from "@guidance/tensor";
import { fill } from "../peers/data.mjs";
import { median } from "./result.ts";

const sizeOf = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);
const variable = (name: string, ...shape: number[]) => new Variable(shape, () => fill(sizeOf(shape), 1), { name });

interface Work {
  readonly flops: number;
  apply(): Operand;
}

/** Each names its operands anew: a Variable belongs to one backend. */
const works: Readonly<Record<string, Work>> = {
  "matmul 1024 NN": {
    flops: 2 * 1024 ** 3,
    apply: () => variable("a", 1024, 1024).matmul(variable("b", 1024, 1024)),
  },
  "matmul 1024 NT": {
    flops: 2 * 1024 ** 3,
    apply: () => variable("a", 1024, 1024).matmul(variable("b", 1024, 1024), { transposeB: true }),
  },
  "Gram 64x65536": {
    flops: 2 * 64 * 64 * 65536,
    apply: () => {
      const x = variable("x", 64, 65536);
      return x.matmul(x, { transposeB: true });
    },
  },
  "conv 3x3 64>64 @56": {
    flops: 2 * 8 * 64 * 64 * 56 * 56 * 9,
    apply: () => variable("x", 8, 64, 56, 56).conv2d(variable("w", 64, 64, 3, 3), { stride: [1, 1], padding: [1, 1] }),
  },
};

/** The text with f16 operands: inputs 0 and 1 are the core's, and nothing else reads them here. */
function withHalves(text: string): string {
  const declared = text.replace(
    /(var<storage, read> input[01]: array<)(vec4<)?f32(>)?/g,
    (_, start: string, vector = "", end = "") => `${start}${vector}f16${end}`,
  );
  if (declared === text) return text;
  const converted = declared
    .split("\n")
    .map((line) => (line.startsWith("@group") ? line : line.replace(/\binput[01]\[/g, "half_$&")))
    .join("\n");
  return `enable f16;\n${convertLoads(converted, declared)}`;
}

/** Wraps each marked load, whose index may hold brackets, in a conversion. */
function convertLoads(text: string, declarations: string): string {
  let result = text;
  for (let at = result.indexOf("half_input"); at >= 0; at = result.indexOf("half_input")) {
    const name = result.slice(at + 5, at + 11);
    let end = at + "half_input0[".length;
    for (let depth = 1; depth > 0; end++) depth += result[end] === "[" ? 1 : result[end] === "]" ? -1 : 0;
    const type = declarations.includes(`${name}: array<vec4<f16>>`) ? "vec4<f32>" : "f32";
    result = `${result.slice(0, at)}${type}(${result.slice(at + 5, end)})${result.slice(end)}`;
  }
  return result;
}

async function prepare(backend: Backend, { apply }: Work) {
  return compile(backend, {}, () => {
    const result = apply().asTensor();
    new Variable(result.shape, 0, { name: "result" }).assign(result);
    return {};
  });
}

const [whole, half] = [await openDevice(), await openDevice()];
if (!half.features.has("shader-f16")) throw new Error(`${half.description} does not offer shader-f16`);
const original = half.device.createShaderModule.bind(half.device);
half.device.createShaderModule = (descriptor) => original({ ...descriptor, code: withHalves(descriptor.code) });
const backends = [createBackend(whole, {}), createBackend(half, {})];
console.log(`${whole.description}\n\n| | f32 operands | f16 operands | ratio |\n| --- | --- | --- | --- |`);
for (const [name, work] of Object.entries(works)) {
  const steps = await Promise.all(backends.map((backend) => prepare(backend, work)));
  const times: number[][] = [[], []];
  for (let round = 0; round < 12; round++) {
    for (const [i, step] of steps.entries()) {
      const start = performance.now();
      await step({});
      // the first two rounds compile
      if (round > 1) times[i].push(performance.now() - start);
    }
  }
  const [f32, f16] = times.map(median);
  const speed = (time: number) => `${time.toFixed(1)} ms, ${(work.flops / time / 1e6).toFixed(0)} GFLOP/s`;
  console.log(`| ${name} | ${speed(f32)} | ${speed(f16)} | ${(f16 / f32).toFixed(2)} |`);
  for (const step of steps) step.close();
}
for (const backend of backends) await backend.close();
