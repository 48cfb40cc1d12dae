// What a run may be given, and when it is read.

import { describe, expect, it } from "vitest";
import { cpuBackend } from "./backend/cpu.ts";
import { compile, f32, i32, u8, u32 } from "./step.ts";

const backend = cpuBackend();

it("inputs are taken when the step is called, also by calls that must wait", async () => {
  const step = await compile(backend, { x: f32(1) }, ({ x }) => ({ y: x.add(0) }));
  const x = new Float32Array(1);
  const runs = [0, 1, 2, 3, 4].map((value) => {
    x[0] = value;
    return step({ x });
  });
  expect((await Promise.all(runs)).map(({ y }) => y.data[0])).toEqual([0, 1, 2, 3, 4]);
  step.close();
});

it("a call after waiting ones does not overtake them", async () => {
  const step = await compile(backend, { x: f32() }, ({ x }) => ({ y: x.add(0) }));
  const finished: number[] = [];
  const call = (x: number) => step({ x }).then(({ y }) => finished.push(y.item()));
  const first = [0, 1, 2, 3].map(call);
  await first[0];
  await Promise.all([...first, call(4)]);
  expect(finished).toEqual([0, 1, 2, 3, 4]);
  step.close();
});

it("a failed run gives its place to the next", async () => {
  const step = await compile(backend, { x: f32() }, ({ x }) => ({ y: x.add(0) }));
  const runs = [1, 2, 3, 4].map((x) => step({ x }));
  step.close();
  const settled = await Promise.allSettled(runs);
  expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "rejected"]);
});

describe("a run refuses", () => {
  const given = async (batch: object) => {
    const specs = { images: f32(2), labels: i32(2), counts: u32(2), bytes: u8(2) };
    const step = await compile(backend, specs, ({ images }) => ({ y: images.sum() }));
    const valid = { images: [0.5, 1], labels: [0, 1], counts: [0, 1], bytes: Uint8Array.of(0, 1) };
    try {
      return await step({ ...valid, ...batch });
    } finally {
      step.close();
    }
  };

  it.each<[string, object, RegExp]>([
    ["an unknown input", { lables: [0, 1] }, /no input "lables".*images, labels, counts, bytes/],
    ["a fraction for an integer", { labels: [0, 0.5] }, /"labels": element 1 is 0\.5, for i32/],
    ["a fraction among floats for an integer", { labels: Float32Array.of(0, 1.5) }, /"labels": element 1 is 1\.5/],
    ["NaN for an integer", { labels: [Number.NaN, 0] }, /"labels": element 0 is NaN/],
    [
      "a negative number for an unsigned one",
      { counts: [0, -1] },
      /"counts": element 1 is -1, for u32.*0 to 4294967295/,
    ],
    ["what no byte holds", { bytes: [0, 256] }, /"bytes": element 1 is 256.*0 to 255/],
  ])("%s", async (_, batch, message) => {
    await expect(given(batch)).rejects.toThrow(message);
  });

  it("nothing that fits, whatever array it comes in", async () => {
    await expect(
      given({ labels: Float64Array.of(1, 2), counts: Int32Array.of(1, 2), bytes: [3, 4] }),
    ).resolves.toBeDefined();
  });
});
