/** Files that torch 1.13 wrote, in both layouts: every type, views, wrappers (fixtures/make.py). */
import { fileURLToPath } from "node:url";
import type { SafetensorsTensor } from "@guidance/tensor";
import { expect, test } from "vitest";
import { openWeights } from "./open.ts";

const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

/** Every tensor of a file as dtype, shape and values. */
async function contents(path: string): Promise<{ format: string; tensors: Record<string, unknown> }> {
  const file = await openWeights(path);
  try {
    const read = file.names.map(async (name) => {
      const { dtype, shape, data }: SafetensorsTensor = await file.read(name);
      expect(file.types.get(name)).toEqual({ dtype, shape });
      return [name, [dtype, shape, [...data]]] as const;
    });
    return { format: file.format, tensors: Object.fromEntries(await Promise.all(read)) };
  } finally {
    await file.close();
  }
}

const layouts = ["zip", "legacy"] as const;

test.each(layouts)("every element type: %s", async (layout) => {
  const { format, tensors } = await contents(fixture(`types-${layout}.pth`));
  expect(format).toBe(`torch ${layout}`);
  expect(tensors).toEqual({
    float32: ["F32", [1, 3], [1.5, -2, Number.POSITIVE_INFINITY]],
    float64: ["F64", [2], [0.1, -1e300]],
    float16: ["F16", [3], [0x3e00, 0xc000, 0x7bff]],
    // the nearest bfloat16 to 3e38
    bfloat16: ["F32", [3, 1], [1.5, -2, 3.00405527047391e38]],
    int64: ["I64", [2], [2n ** 62n, -1n]],
    int32: ["I32", [2], [2 ** 31 - 1, -(2 ** 31)]],
    int16: ["I32", [2], [32767, -32768]],
    int8: ["I32", [2], [127, -128]],
    uint8: ["U8", [2], [0, 255]],
    bool: ["BOOL", [3], [1, 0, 1]],
    scalar: ["I64", [], [7n]],
    empty: ["F32", [0, 3], []],
    parameter: ["F32", [1], [0.5]],
  });
});

test.each(layouts)("views of one storage, by offset and strides: %s", async (layout) => {
  const { tensors } = await contents(fixture(`views-${layout}.pth`));
  expect(tensors).toEqual({
    transposed: ["F32", [4, 3], [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]],
    row: ["F32", [4], [4, 5, 6, 7]],
    column: ["F32", [3], [2, 6, 10]],
    expanded: ["F32", [2, 3], [1.5, 1.5, 1.5, 1.5, 1.5, 1.5]],
    whole: ["F32", [12], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]],
  });
});

test.each(layouts)("a state dict within a checkpoint, and without the prefix of DataParallel: %s", async (layout) => {
  const { tensors } = await contents(fixture(`wrapped-${layout}.pth`));
  expect(tensors).toEqual({
    "0.weight": ["F32", [1, 2], [0.25, 0.25]],
    "0.bias": ["F32", [1], [1.25]],
    "1.weight": ["F32", [1], [2.25]],
    "1.bias": ["F32", [1], [3.25]],
    "1.running_mean": ["F32", [1], [0]],
    "1.running_var": ["F32", [1], [1]],
    "1.num_batches_tracked": ["I64", [], [0n]],
  });
});

test("a file that is missing, a folder and other files are refused in one line", async () => {
  await expect(openWeights(fixture("none.pth"))).rejects.toThrow(/none\.pth": it cannot be opened .* Expected a \.pth/);
  await expect(openWeights(fixture(""))).rejects.toThrow("it is no file");
  await expect(openWeights(fixture("make.py"))).rejects.toThrow("are of no format that is known");
});

test("a name that a file does not have is refused", async () => {
  const file = await openWeights(fixture("views-zip.pth"));
  await expect(file.read("other")).rejects.toThrow('it has no tensor "other"');
  await file.close();
});
