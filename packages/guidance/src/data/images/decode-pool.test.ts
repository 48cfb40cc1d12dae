import { Worker } from "node:worker_threads";
import { afterEach, expect, test, vi } from "vitest";
import { DecodePool } from "./decode-pool.ts";
import * as threads from "./decode-thread.ts";
import { fixtureBytes } from "./fixtures.test.support.ts";
import { type ImageTransform, trainingTransform } from "./transform.ts";

vi.mock("./decode-thread.ts", { spy: true });

const pools: DecodePool[] = [];
afterEach(() => Promise.all(pools.splice(0).map((pool) => pool.close())));

/** A pool of one thread; `script` is what the thread runs instead of decoding. */
function open(script?: string): DecodePool {
  if (script)
    vi.mocked(threads.startDecodeThread).mockImplementationOnce(async () => new Worker(script, { eval: true }));
  const pool = new DecodePool(1);
  pools.push(pool);
  return pool;
}

function request(path: string, transform: ImageTransform = trainingTransform({ size: 4 })) {
  const { signal } = new AbortController();
  const read = async () => ({ bytes: fixtureBytes("colour.jpg"), path });
  return { transform, key: { seed: 0, epoch: 0, image: 0 }, signal, read };
}

test("an error in a thread's code fails its image alone", async () => {
  const pool = open();
  const absurd = pool.run(request("a.jpg", trainingTransform({ size: 1e9 })));
  await expect(absurd).rejects.toThrow(/image "a\.jpg": decoding it failed: RangeError/);
  expect(await pool.run(request("b.jpg"))).toHaveLength(48);
});

test("a thread that dies fails what it had, by name, and all that is asked later", async () => {
  const onMessage = 'require("node:worker_threads").parentPort.on("message", () => { ACTION })';
  for (const [action, reason] of [
    ['throw new Error("out of order")', "out of order"],
    ["process.exit(3)", "it ended with code 3"],
  ]) {
    const pool = open(onMessage.replace("ACTION", action));
    const results = await Promise.allSettled(["a", "b", "c", "d", "e"].map((path) => pool.run(request(path))));
    for (const result of results) {
      expect(result).toMatchObject({ status: "rejected" });
      expect(String((result as PromiseRejectedResult).reason)).toContain(`decoding thread: ${reason} while it had "a"`);
    }
    await expect(pool.run(request("f"))).rejects.toThrow(reason);
  }
});

test("a thread that cannot be started is an error of each request", async () => {
  vi.mocked(threads.startDecodeThread).mockImplementationOnce(() => Promise.reject(new Error("no sharp here")));
  const pool = open();
  await expect(pool.run(request("a"))).rejects.toThrow("no sharp here");
  await expect(pool.run(request("b"))).rejects.toThrow("no sharp here");
});

test("closing keeps the process alive until the threads have ended, also while bytes are read", async () => {
  const worker = new Worker("setInterval(() => {}, 1000)", { eval: true });
  vi.mocked(threads.startDecodeThread).mockImplementationOnce(async () => worker);
  const pool = new DecodePool(1);
  let failReading = (_error: Error) => {};
  const read = () => new Promise<never>((_, reject) => (failReading = reject));
  const refused = expect(pool.run({ ...request("a"), read })).rejects.toThrow("closed");
  await new Promise(setImmediate);
  const calls: string[] = [];
  worker.prependListener("exit", () => calls.push("exit"));
  vi.spyOn(worker, "ref").mockImplementation(() => void calls.push("ref"));
  vi.spyOn(worker, "unref").mockImplementation(() => void calls.push("unref"));
  const closed = pool.close();
  await refused;
  failReading(new Error("gone"));
  await closed;
  expect(calls[calls.indexOf("exit") - 1]).toBe("ref");
});

test("requests that are no longer wanted are dropped, and closing fails the rest", async () => {
  const pool = open("setInterval(() => {}, 1000)");
  const controller = new AbortController();
  const stuck = ["a", "b", "c"].map((path) => pool.run(request(path)));
  const queued = pool.run({ ...request("d"), signal: controller.signal });
  controller.abort(new Error("left"));
  const results = Promise.allSettled([...stuck, queued]);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await pool.close();
  for (const result of await results)
    expect(String((result as PromiseRejectedResult).reason)).toContain("they were closed");
  await expect(pool.run(request("e"))).rejects.toThrow("decoding threads: they were closed");
});
