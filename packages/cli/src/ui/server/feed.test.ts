import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Feed } from "./feed.ts";
import { Runs } from "./runs.ts";

test("a page that does not read is sent nothing more, and then all it missed as one message", async () => {
  const folder = mkdtempSync(join(tmpdir(), "guidance-ui-"));
  const path = join(folder, "guided", "metrics.jsonl");
  const step = (at: number) =>
    `${JSON.stringify({ kind: "step", step: at, totalSteps: 9, seconds: 1, dataSeconds: 0, loss: at })}\n`;
  mkdirSync(join(folder, "guided"));
  writeFileSync(join(folder, "config.json"), "{}");
  writeFileSync(path, step(1));
  const feed = new Feed(await Runs.open(folder));
  const id = folder.split("/").at(-1)!;
  const written: string[] = [];
  const page = { writableNeedDrain: false, on: () => {}, write: (text: string) => written.push(text), end: () => {} };
  const until = async (condition: () => boolean) => {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  feed.add(page as unknown as ServerResponse, [id], undefined);
  await until(() => written.length === 2);
  page.writableNeedDrain = true;
  appendFileSync(path, step(2) + step(3));
  await new Promise((resolve) => setTimeout(resolve, 2100));
  expect(written).toHaveLength(2);
  page.writableNeedDrain = false;
  await until(() => written.length === 3);
  expect(JSON.parse(/^data: (.*)$/m.exec(written[2])![1]).arms[0].series.steps).toMatchObject({
    from: 1,
    steps: [2, 3],
  });
  await feed.end();
  rmSync(folder, { recursive: true });
});
