import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { Feed } from "./feed.ts";
import { Runs } from "./runs.ts";

const folder = mkdtempSync(join(tmpdir(), "guidance-ui-"));
afterAll(() => rmSync(folder, { recursive: true }));
const id = folder.split("/").at(-1)!;
const path = join(folder, "guided", "metrics.jsonl");
const step = (at: number) =>
  `${JSON.stringify({ kind: "step", step: at, totalSteps: 9, seconds: 1, dataSeconds: 0, loss: at })}\n`;
mkdirSync(join(folder, "guided"));
writeFileSync(join(folder, "config.json"), "{}");

/** The side of a page that the server writes to. */
function openPage() {
  const written: string[] = [];
  let gone = () => {};
  const page = {
    writableNeedDrain: false,
    on: (_event: "close", heard: () => void) => {
      gone = heard;
    },
    write: (text: string) => written.push(text),
    end: () => {},
    destroy: () => gone(),
  };
  return { page, written, response: page as unknown as ServerResponse };
}

const until = async (condition: () => boolean) => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
};

test("a page that does not read is sent nothing more, and then all it missed as one message", async () => {
  writeFileSync(path, step(1));
  const feed = new Feed(await Runs.open(folder));
  const { page, written, response } = openPage();
  feed.add(response, [id], undefined);
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
});

test("a page that has read nothing for a minute is let go", async () => {
  const feed = new Feed(await Runs.open(folder));
  const { page, written, response } = openPage();
  feed.add(response, [id], undefined);
  await until(() => written.length === 2);
  page.writableNeedDrain = true;
  const now = Date.now();
  const clock = vi.spyOn(Date, "now").mockReturnValue(now + 59_000);
  await new Promise((resolve) => setTimeout(resolve, 2100));
  expect(feed.size).toBe(1);
  clock.mockReturnValue(now + 61_000);
  await until(() => feed.size === 0);
  clock.mockRestore();
});
