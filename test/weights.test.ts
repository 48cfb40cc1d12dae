// Weights to and from PyTorch itself: torch.load reads what is exported, and a ResNet-18 of torchvision gives the same
// logits here, loaded from either layout of torch.save.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadWeightsInto, openWeights, ResNet18, saveWeights } from "@guidance/guidance";
import { compile, cpuBackend, f32, type SafetensorsTensor } from "@guidance/tensor";
import { afterAll, describe, expect, test } from "vitest";
import { hasTorch, runTorch } from "./support/torch.ts";

const folder = mkdtempSync(join(tmpdir(), "guidance-torch-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// names, dtypes, shapes, strides and values of a file as torch.load sees it
const describeFile = `
import json, sys, torch
state = torch.load(sys.argv[1])
print(json.dumps([type(state).__name__, [[k, str(v.dtype), list(v.shape), v.is_contiguous(), v.double().flatten().tolist()]
                                        for k, v in state.items()]]))
`;

// a network whose batch norms are no identity, in both layouts, and its logits of a smooth image
const makeResNet = `
import json, sys, torch, torchvision
torch.manual_seed(7)
model = torchvision.models.resnet18(num_classes=10).eval()
for name, buffer in model.named_buffers():
    if name.endswith("running_mean"): buffer.normal_(0, 0.1)
    if name.endswith("running_var"): buffer.uniform_(0.5, 1.5)
torch.save(model.state_dict(), sys.argv[1])
torch.save(model.state_dict(), sys.argv[2], _use_new_zipfile_serialization=False)
image = (torch.arange(2 * 3 * 64 * 64).double() * 0.01).sin().float().reshape(2, 3, 64, 64)
with torch.no_grad(): print(json.dumps(model(image).flatten().tolist()))
`;

// torch's network with our weights
const runResNet = `
import json, sys, torch, torchvision
model = torchvision.models.resnet18(num_classes=10).eval()
model.load_state_dict(torch.load(sys.argv[1]))
image = (torch.arange(2 * 3 * 64 * 64).double() * 0.01).sin().float().reshape(2, 3, 64, 64)
with torch.no_grad(): print(json.dumps(model(image).flatten().tolist()))
`;

const image = () => Float32Array.from({ length: 2 * 3 * 64 * 64 }, (_, i) => Math.sin(i * 0.01));

async function logitsOf(model: ResNet18): Promise<ArrayLike<number>> {
  const backend = cpuBackend({ precision: "float32" });
  try {
    await using step = await compile(backend, { images: f32(2, 3, 64, 64) }, ({ images }) => ({
      logits: model.call(images),
    }));
    return (await step({ images: image() })).logits.data;
  } finally {
    await backend.close();
  }
}

function expectNear(found: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  expect(found.length).toBe(expected.length);
  const errors = Array.from(found, (value, i) => Math.abs(value - expected[i]));
  expect(Math.max(...errors)).toBeLessThan(tolerance);
}

describe.skipIf(!hasTorch("import and export of weights"))("PyTorch", () => {
  test("torch.load reads every type that is exported", async () => {
    const path = join(folder, "types.pth");
    const tensors = new Map<string, SafetensorsTensor>([
      ["float32", { dtype: "F32", shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6.5) }],
      ["float64", { dtype: "F64", shape: [1], data: Float64Array.of(0.1) }],
      ["float16", { dtype: "F16", shape: [2], data: Uint16Array.of(0x3e00, 0xc000) }],
      ["int64", { dtype: "I64", shape: [], data: BigInt64Array.of(-5n) }],
      ["int32", { dtype: "I32", shape: [1], data: Int32Array.of(-7) }],
      ["unsigned", { dtype: "U32", shape: [1], data: Uint32Array.of(2 ** 32 - 1) }],
      ["uint8", { dtype: "U8", shape: [3], data: Uint8Array.of(0, 1, 255) }],
      ["bool", { dtype: "BOOL", shape: [2], data: Uint8Array.of(1, 0) }],
      ["none \u{1f642}", { dtype: "F32", shape: [0, 2], data: new Float32Array(0) }],
    ]);
    await saveWeights(path, tensors);
    expect(JSON.parse(runTorch(describeFile, path))).toEqual([
      "OrderedDict",
      [
        ["float32", "torch.float32", [2, 3], true, [1, 2, 3, 4, 5, 6.5]],
        ["float64", "torch.float64", [1], true, [0.1]],
        ["float16", "torch.float16", [2], true, [1.5, -2]],
        ["int64", "torch.int64", [], true, [-5]],
        ["int32", "torch.int32", [1], true, [-7]],
        ["unsigned", "torch.int64", [1], true, [2 ** 32 - 1]],
        ["uint8", "torch.uint8", [3], true, [0, 1, 255]],
        ["bool", "torch.bool", [2], true, [1, 0]],
        ["none \u{1f642}", "torch.float32", [0, 2], true, []],
      ],
    ]);
  });

  test("torchvision's ResNet-18 gives the same logits from both layouts, and from what is exported", async () => {
    const [zip, legacy, exported] = ["zip.pth", "legacy.pth", "exported.pth"].map((name) => join(folder, name));
    const expected: number[] = JSON.parse(runTorch(makeResNet, zip, legacy));
    for (const path of [zip, legacy]) {
      const model = new ResNet18({ classes: 10 }).eval();
      const file = await openWeights(path);
      expect(file.format).toBe(path === zip ? "torch zip" : "torch legacy");
      await loadWeightsInto(model, file);
      await file.close();
      await saveWeights(exported, await model.stateDict());
      expectNear(JSON.parse(runTorch(runResNet, exported)), expected, 1e-6);
      expectNear(await logitsOf(model), expected, 1e-4);
      model.close();
    }
  });
});
