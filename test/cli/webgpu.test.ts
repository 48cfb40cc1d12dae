// The command on the WebGPU device it takes by itself: that it says which, that its kernels are right, that it ends.

import { openDevice } from "@guidance/shaders";
import { describe, expect, test } from "vitest";
import { openTier } from "../support/tiers.ts";
import { guidance, runFolder, scratch, tiny } from "./command.ts";

const opened = await openTier("webgpu", openDevice, ({ description }) => description);
const name = opened && `webgpu ${opened.description}`;
opened?.close();

const fresh = scratch();

describe.skipIf(!name)("on WebGPU", () => {
  test("doctor describes the adapter and finds every op right", async () => {
    const { status, stdout, output } = await guidance(["doctor"]);
    expect(status, output).toBe(0);
    expect(stdout).toContain(`backend     ${name}\n`);
    for (const line of [
      /^Dawn +\d+\.\d+\.\d+$/m,
      /^driver +\S/m,
      /^features +\S/m,
      /^ {2}maxBufferSize +[\d.]+ GB$/m,
    ]) {
      expect(stdout).toMatch(line);
    }
    expect(stdout).toMatch(/^self-test +(\d+) of \1 ops agree with the CPU backend/m);
  });

  test("train and eval agree on the scores", async () => {
    const cwd = fresh();
    const { status, stdout, output } = await guidance(
      ["train", ...tiny.slice(2), "--guide-steps", "0", "--no-baseline"],
      { cwd },
    );
    expect(status, output).toBe(0);
    expect(stdout.startsWith(`adapter ${name}\n`)).toBe(true);
    const top1 = /last weights \(step 4\) +([\d.]+ %) +([\d.]+ %) +([\d.]+)/.exec(stdout);
    const scored = await guidance(["eval", runFolder(stdout)], { cwd });
    expect(scored.stdout).toMatch(new RegExp(`^12 images +${top1?.[3]} +${top1?.[1]} +${top1?.[2]}$`, "m"));
  });
});
