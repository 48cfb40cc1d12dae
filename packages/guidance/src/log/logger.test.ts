/** Loggers that fail in every way: one line, and the training goes on. */
import { expect, test } from "vitest";
import { runSmall, runsFolder, smallConfig } from "../train/experiment.test.support.ts";
import { readHistory } from "../train/history.ts";
import { combineLoggers, type Logger, type OpenLogger } from "./logger.ts";

const runs = runsFolder();

function guarded(openers: Record<string, OpenLogger>) {
  const lines: string[] = [];
  const start = { folder: "f", arm: "guided", config: {}, step: 0, warn: (line: string) => void lines.push(line) };
  return { lines, log: combineLoggers(new Map(Object.entries(openers)), start) };
}

test("what a logger throws, rejects or is not is told once, and the others hear on", async () => {
  const heard: string[] = [];
  const { lines, log } = guarded({
    throwing: () => ({
      saving: () => {
        throw new Error("first\n  second");
      },
      end: () => heard.push("the one that failed"),
    }),
    rejecting: () => ({ saving: async () => Promise.reject("no") }) as Logger,
    missing: () => undefined as unknown as Logger,
    unopened: () => {
      throw new Error("cannot open");
    },
    listening: () => ({ saving: () => heard.push("saving"), end: () => heard.push("end") }),
  });
  log.saving();
  log.saving();
  log.end();
  await log.close();
  expect(heard).toEqual(["saving", "saving", "end"]);
  expect(lines).toEqual([
    "logger missing of guided: it gave undefined, no logger; the training goes on without it",
    "logger unopened of guided: cannot open; the training goes on without it",
    "logger throwing of guided: first second; the training goes on without it",
    "logger rejecting of guided: no; the training goes on without it",
  ]);
});

test("methods keep their object, and one that failed is closed", async () => {
  class Own implements Logger {
    readonly heard: string[] = [];
    saving() {
      this.heard.push("saving");
      throw new Error("full");
    }
    close() {
      this.heard.push("closed");
    }
  }
  const own = new Own();
  const { lines, log } = guarded({ own: () => own });
  log.saving();
  await log.close();
  expect(own.heard).toEqual(["saving", "closed"]);
  expect(lines).toHaveLength(1);
});

test("a training with loggers that fail ends as one without", async () => {
  const [plain, logged] = [runs.fresh(), runs.fresh()];
  const expected = await runSmall({ config: smallConfig, folder: plain, guideCache: runs.cache });
  const messages: string[] = [];
  const failing = (): Logger => ({
    step() {
      throw new Error("no");
    },
  });
  const result = await runSmall({
    config: smallConfig,
    folder: logged,
    guideCache: runs.cache,
    loggers: new Map([["failing", failing]]),
    observer: { warning: (line) => void messages.push(line) },
  });
  expect(result.arms.map(({ test: scores }) => scores)).toEqual(expected.arms.map(({ test: scores }) => scores));
  expect((await readHistory(logged)).summary).toBeDefined();
  expect(messages).toEqual([
    "warning: logger failing of guided: no; the training goes on without it",
    "warning: logger failing of unguided: no; the training goes on without it",
  ]);
});
