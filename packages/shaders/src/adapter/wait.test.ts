import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { waitQuietly } from "./wait.ts";

describe("waitQuietly", () => {
  test("gives what the promise gives, for several waiters at once", async () => {
    const waits = [30, 0, 10].map((milliseconds) => waitQuietly(delay(milliseconds, milliseconds)));
    expect(await Promise.all(waits)).toEqual([30, 0, 10]);
    expect(await waitQuietly(Promise.resolve("again"))).toBe("again");
  });

  test("rejects as the promise rejects, and other waiters go on", async () => {
    const other = waitQuietly(delay(20, "other"));
    await expect(waitQuietly(delay(5).then(() => Promise.reject(new Error("lost"))))).rejects.toThrow("lost");
    expect(await other).toBe("other");
  });
});
