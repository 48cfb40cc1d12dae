import { describe, expect, test } from "vitest";
import {
  compile,
  cpuBackend,
  f32,
  Generator,
  nn,
  type Operand,
  readSafetensors,
  type SafetensorsTensor,
  type Tensor,
  writeSafetensors,
} from "../index.ts";

class Block extends nn.Module {
  readonly fc1: nn.Linear;
  readonly bn1 = new nn.BatchNorm1d(4);
  readonly tail: nn.Sequential;

  constructor(generator = new Generator(1)) {
    super();
    this.fc1 = new nn.Linear(3, 4, { generator });
    this.tail = new nn.Sequential(new nn.ReLU(), new nn.Linear(4, 2, { generator }));
  }

  forward(x: Operand): Tensor {
    return this.tail.call(this.bn1.call(this.fc1.call(x)));
  }
}

describe("the tree of modules", () => {
  test("names Variables as torch's state_dict does, in order of declaration", () => {
    expect(new Block().namedVariables().map(([name]) => name)).toEqual([
      "fc1.weight",
      "fc1.bias",
      "bn1.weight",
      "bn1.bias",
      "bn1.running_mean",
      "bn1.running_var",
      "bn1.num_batches_tracked",
      "tail.1.weight",
      "tail.1.bias",
    ]);
  });

  test("prefixes paths and names with the root's role", () => {
    const block = new Block().named("student");
    expect(block.tail.path).toBe("student.tail");
    expect(block.fc1.weight.name).toBe("student.fc1.weight");
  });

  test("gives its parameters their names when asked for them, and a role given later counts", () => {
    const block = new Block();
    expect(block.parameters()[0].name).toBe("fc1.weight");
    block.named("student");
    expect(block.parameters()[0].name).toBe("student.fc1.weight");
  });

  test("lists running statistics among the Variables but not among the parameters", () => {
    const names = new Block()
      .named("")
      .parameters()
      .map(({ name }) => name);
    expect(names).toEqual(["fc1.weight", "fc1.bias", "bn1.weight", "bn1.bias", "tail.1.weight", "tail.1.bias"]);
  });

  test("lists a layer that two parents share once", () => {
    const shared = new nn.Linear(3, 3);
    const model = new nn.Sequential(shared, new nn.Sequential(shared));
    expect(model.parameters()).toEqual([shared.weight, shared.bias]);
  });

  test("switches every layer between training and evaluation", () => {
    const block = new Block().eval();
    expect(block.namedModules().map(([, module]) => module.training)).toEqual([
      false,
      false,
      false,
      false,
      false,
      false,
    ]);
    expect(block.train().bn1.training).toBe(true);
  });
});

describe("forward hooks", () => {
  test("see inputs and output of each call in order, and go away when removed", async () => {
    const backend = cpuBackend();
    const block = new Block();
    const seen: string[] = [];
    const removers = [block.fc1, block.bn1].map((layer) =>
      layer.registerForwardHook((module, [input], output) => {
        seen.push(`${module.path} ${input!.shape} ${(output as Tensor).shape}`);
      }),
    );
    const trace = () => compile(backend, { x: f32(5, 3) }, ({ x }) => ({ y: block.call(x) }));
    (await trace()).close();
    expect(seen).toEqual(["fc1 5,3 5,4", "bn1 5,4 5,4"]);
    for (const remove of removers) remove();
    (await trace()).close();
    expect(seen).toHaveLength(2);
  });

  test("replace the output by what they return", async () => {
    const layer = new nn.ReLU();
    layer.registerForwardHook((_module, _inputs, output) => (output as Tensor).mul(2));
    const step = await compile(cpuBackend(), { x: f32(2) }, ({ x }) => ({ y: layer.call(x) }));
    expect([...(await step({ x: [-1, 3] })).y.data]).toEqual([0, 6]);
    step.close();
  });
});

describe("state_dict", () => {
  test("moves values from one model to another, counters as 64-bit integers", async () => {
    const source = new Block(new Generator(1));
    const target = new Block(new Generator(2));
    const state = await source.stateDict();
    expect(state.get("bn1.num_batches_tracked")).toEqual({ dtype: "I64", shape: [], data: BigInt64Array.of(0n) });
    target.loadStateDict(state);
    expect(await target.stateDict()).toEqual(state);
  });

  test("that does not fit names every tensor and changes nothing", async () => {
    const model = new Block();
    const before = await model.stateDict();
    const state = new Map(before);
    state.delete("fc1.bias");
    state.set("fc3.bias", { dtype: "F32", shape: [1], data: new Float32Array(1) });
    state.set("fc1.weight", { dtype: "F32", shape: [4, 5], data: new Float32Array(20) });
    expect(() => model.loadStateDict(state)).toThrow(
      /missing fc1\.bias; unexpected fc3\.bias; fc1\.weight is \[4, 5\], the model has \[4, 3\]/,
    );
    expect(await model.stateDict()).toEqual(before);
  });
});

describe("stored dtypes", () => {
  const load = (weight: SafetensorsTensor, bias = { dtype: "F32", shape: [1], data: Float32Array.of(1) } as const) => {
    const layer = new nn.Linear(2, 1);
    layer.loadStateDict(
      new Map<string, SafetensorsTensor>([
        ["weight", weight],
        ["bias", bias],
      ]),
    );
    return layer.weight.read();
  };
  const shape = [1, 2];

  test("of half precision become numbers, not bits", async () => {
    const { tensors } = readSafetensors(
      writeSafetensors(new Map([["weight", { dtype: "F16", shape, data: Uint16Array.of(0x3c00, 0xc100) }]])),
    );
    expect([...(await load(tensors.get("weight") as SafetensorsTensor))]).toEqual([1, -2.5]);
  });

  test("of double precision are rounded once", async () => {
    expect([...(await load({ dtype: "F64", shape, data: Float64Array.of(0.5, -3) }))]).toEqual([0.5, -3]);
  });

  test.each([
    ["I64", BigInt64Array.of(3n, 4n)],
    ["I32", Int32Array.of(3, 4)],
    ["U8", Uint8Array.of(3, 4)],
    ["BF16", Uint16Array.of(0x3f80, 0)],
  ])("%s is no weight: refused by name", (dtype, data) => {
    const weight = { dtype, shape, data } as unknown as SafetensorsTensor;
    expect(() => load(weight)).toThrow(new RegExp(`weight is ${dtype}, which does not load into f32 .*F32, F64, F16`));
  });

  test("of a counter are whole numbers that fit", async () => {
    const norm = new nn.BatchNorm1d(1);
    const state = await norm.stateDict();
    state.set("num_batches_tracked", { dtype: "F32", shape: [], data: Float32Array.of(1) });
    expect(() => norm.loadStateDict(state)).toThrow(/num_batches_tracked is F32, which does not load into i32/);
    state.set("num_batches_tracked", { dtype: "I64", shape: [], data: BigInt64Array.of(2n ** 31n) });
    expect(() => norm.loadStateDict(state)).toThrow(/num_batches_tracked has a value beyond i32/);
  });
});

describe("errors", () => {
  test("of a misfitting layer name its path, the shapes, and the line that called", async () => {
    const model = new nn.Sequential(new nn.Linear(3, 4), new nn.Linear(5, 2)).named("student");
    const attempt = compile(cpuBackend(), { x: f32(8, 3) }, ({ x }) => ({ y: model.call(x) }));
    await expect(attempt).rejects.toThrow(/linear in "student\.1": x is \[8, 4\], weight is \[2, 5\].*\[\.\.\., 5\]/);
  });
});
