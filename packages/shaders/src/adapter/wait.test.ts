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

  test("waits one after another share one sleeper", async () => {
    const started = performance.now();
    for (let i = 0; i < 200; i++) await waitQuietly(new Promise((resolve) => setImmediate(resolve)));
    // a sleeper left behind by each wait would add its pause to every later one: several seconds
    expect(performance.now() - started).toBeLessThan(1000);
  });
});
