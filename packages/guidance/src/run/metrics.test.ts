import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { JsonObject } from "./json.ts";
import { dropMetricsAfter, MetricsWriter, readMetrics } from "./metrics.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "guidance-metrics-"));
  path = join(folder, "metrics.jsonl");
});
afterEach(() => rmSync(folder, { recursive: true }));

function append(...records: JsonObject[]): void {
  const writer = new MetricsWriter(path);
  for (const record of records) writer.write(record);
  writer.close();
}

test("records are lines that a reopened file goes on with", () => {
  append({ step: 1, loss: 2.5 }, { step: 2, loss: Number.NaN });
  append({ step: 3, loss: 0.1 });
  const lines = readFileSync(path, "utf8").split("\n");
  expect(lines.pop()).toBe("");
  const seal = { format: "metrics", version: 1, sha256: expect.stringMatching(/^[\da-f]{64}$/) };
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { step: 1, loss: 2.5, guidance: seal },
    { step: 2, loss: "NaN", guidance: seal },
    { step: 3, loss: 0.1, guidance: seal },
  ]);
  expect(readMetrics(path).map(({ loss }) => loss)).toEqual([2.5, Number.NaN, 0.1]);
});

test("a record is in the file, where it survives the process, as soon as it is written", () => {
  const writer = new MetricsWriter(path);
  writer.write({ step: 1 });
  expect(readMetrics(path)).toEqual([{ step: 1 }]);
  writer.close();
  writer.close();
  expect(() => writer.write({ step: 2 })).toThrow("the file is closed");
});

test("a line cut off by a crash is passed over, and removed when the file is reopened", () => {
  append({ step: 1, loss: 1 });
  appendFileSync(path, '{"step":2,"lo');
  expect(readMetrics(path)).toEqual([{ step: 1, loss: 1 }]);
  append({ step: 2, loss: 2 });
  expect(readMetrics(path)).toEqual([
    { step: 1, loss: 1 },
    { step: 2, loss: 2 },
  ]);
});

test("a whole last line without its end is kept", () => {
  append({ step: 1 });
  writeFileSync(path, readFileSync(path, "utf8").trimEnd());
  expect(readMetrics(path)).toEqual([{ step: 1 }]);
  append({ step: 2, loss: 2 });
  expect(readMetrics(path)).toHaveLength(2);
});

test.each<[string, (lines: string[]) => void, RegExp]>([
  ["edited", (lines) => lines.splice(1, 1, lines[1].replace("0.5", "0.4")), /line 2 of ".*" is damaged or was edited/],
  [
    "cut",
    (lines) => lines.splice(1, 1, lines[1].slice(0, 20)),
    /line 2 of ".*metrics\.jsonl" is damaged: it is not JSON/,
  ],
  ["lost", (lines) => lines.splice(0, 1, ""), /line 1 of/],
  ["of an earlier version", (lines) => lines.splice(2, 1, '{"step":3}'), /line 3 of ".*" has no version and checksum/],
])("a line in the middle that was %s is named", async (_, change, message) => {
  append({ step: 1 }, { step: 2, loss: 0.5 }, { step: 3 });
  const lines = readFileSync(path, "utf8").split("\n");
  change(lines);
  writeFileSync(path, lines.join("\n"));
  expect(() => readMetrics(path)).toThrow(message);
  await expect(dropMetricsAfter(path, 9)).rejects.toThrow(message);
});

test("records after the step that a run goes on from are dropped, others kept", async () => {
  const records: JsonObject[] = [{ run: "a" }, { step: 1 }, { step: 2, loss: Number.NaN }, { step: 3 }];
  for (const record of records) append(record);
  await dropMetricsAfter(path, 2);
  expect(readMetrics(path)).toEqual(records.slice(0, 3));
  await dropMetricsAfter(`${path}.absent`, 2);
});
