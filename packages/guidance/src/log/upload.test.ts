/** MLflow and W&B against servers of ours: what they are sent, and servers that fail, hang, refuse, or are not there. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import type { JsonObject } from "../run/json.ts";
import type { Logger, LogStart, OpenLogger } from "./logger.ts";
import { mlflowLogger } from "./mlflow.ts";
import { wandbLogger } from "./wandb.ts";

const limits = { closing: 300, pause: 20, longestPause: 80 };

interface Call {
  readonly path: string;
  readonly authorization: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: bodies of many forms
  readonly body: any;
}
type Answer = (call: Call, response: ServerResponse) => void;

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function serve(answer: Answer): Promise<{ url: string; calls: Call[] }> {
  const calls: Call[] = [];
  const server = createServer(async (request: IncomingMessage, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    const { url: path = "", headers } = request;
    const call = { path, authorization: headers.authorization, body: text === "" ? undefined : JSON.parse(text) };
    calls.push(call);
    answer(call, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, calls };
}

const json = (response: ServerResponse, body: object, status = 200) => {
  response.statusCode = status;
  response.end(JSON.stringify(body));
};

/** A tracking server without experiments. */
const mlflow: Answer = ({ path }, response) => {
  if (path.includes("get-by-name")) json(response, { error_code: "RESOURCE_DOES_NOT_EXIST" }, 404);
  else if (path.endsWith("experiments/create")) json(response, { experiment_id: "7" });
  else if (path.endsWith("runs/create")) json(response, { run: { info: { run_id: "r1" } } });
  else json(response, {});
};
const wandb: Answer = ({ path, body }, response) => {
  if (path !== "/graphql") json(response, { limits: {} });
  else if (body.query.startsWith("query")) json(response, { data: { viewer: { entity: "someone" } } });
  else json(response, { data: { upsertBucket: { bucket: { name: body.variables.name } } } });
};

const config: JsonObject = { seed: 3, student: { layers: 50, name: "deep-fcn" } };

function open(opener: OpenLogger): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const start: LogStart = {
    folder: "/runs/20260101-a/guided",
    arm: "guided",
    config,
    step: 0,
    warn: (line) => void lines.push(line),
  };
  const logger = opener(start);
  logger.layers?.([{ student: "student.fc<0>", guide: "guide.a" }]);
  return { logger, lines };
}

const stepOf = (step: number) => ({
  ...{ arm: "guided", step, totalSteps: 9, epoch: 0, learningRate: 1e-3, seconds: 0.1, dataSeconds: 0 },
  ...{ loss: step === 2 ? Number.NaN : 1, crossEntropy: 1, dissimilarity: 0, pairs: 1, similarities: [1] },
});
const validation = { arm: "guided", step: 2, loss: 2, top1: 0.5, top5: 1, images: 10, best: true };
const scores = { loss: 1, top1: 0.25, top5: 0.5, images: 10 };
const result = { arm: "guided", steps: 2, secondsPerStep: 1, test: scores, testAtBest: null, bestStep: null } as const;

function train(logger: Logger): void {
  logger.step?.(stepOf(1));
  logger.step?.(stepOf(2));
  logger.validation?.(validation);
  logger.end?.(result);
}

test("MLflow gets an experiment, a run, its parameters, all numbers, and the end", async () => {
  const { url, calls } = await serve(mlflow);
  const { logger, lines } = open(
    mlflowLogger({ url: `${url}/`, experiment: "my own", authorization: "Bearer t", limits }),
  );
  train(logger);
  await logger.close?.();
  expect(lines).toEqual([]);
  expect(calls.map(({ path }) => path.replace("/api/2.0/mlflow/", ""))).toEqual([
    "experiments/get-by-name?experiment_name=my%20own",
    "experiments/create",
    "runs/create",
    "runs/log-batch",
    "runs/log-batch",
    "runs/update",
  ]);
  expect(new Set(calls.map(({ authorization }) => authorization))).toEqual(new Set(["Bearer t"]));
  const [, , run, parameters, metrics, end] = calls.map(({ body }) => body);
  expect(run).toMatchObject({ experiment_id: "7", run_name: "20260101-a guided" });
  expect(parameters.params).toEqual([
    { key: "seed", value: "3" },
    { key: "student.layers", value: "50" },
    { key: "student.name", value: "deep-fcn" },
  ]);
  expect(metrics.metrics[0]).toMatchObject({ key: "loss/total", value: 1, step: 1, timestamp: expect.any(Number) });
  const keys = metrics.metrics.map(({ key, step }: { key: string; step: number }) => `${key} ${step}`);
  for (const key of ["similarity/student.fc_0_ 1", "validation/top-1 2", "test/top-1 2"]) expect(keys).toContain(key);
  // JSON has no NaN; protocol buffers in JSON write it as text
  expect(
    metrics.metrics.find(({ key, step }: { key: string; step: number }) => key === "loss/total" && step === 2).value,
  ).toBe("NaN");
  expect(end).toMatchObject({ run_id: "r1", status: "FINISHED" });
});

test("W&B gets a run of the key's own entity, one line a step, a summary, and the end", async () => {
  const { url, calls } = await serve(wandb);
  const { logger, lines } = open(wandbLogger({ url, key: "secret", project: "p q", limits }));
  train(logger);
  await logger.close?.();
  expect(lines).toEqual([]);
  const basic = `Basic ${Buffer.from("api:secret").toString("base64")}`;
  expect(new Set(calls.map(({ authorization }) => authorization))).toEqual(new Set([basic]));
  const [, upsert, rows, end] = calls;
  expect(upsert.body.variables).toMatchObject({
    project: "p q",
    entity: "someone",
    groupName: "20260101-a",
    jobType: "guided",
  });
  expect(JSON.parse(upsert.body.variables.config)).toMatchObject({ seed: { value: 3 } });
  expect(rows.path).toBe(`/files/someone/p%20q/${upsert.body.variables.name}/file_stream`);
  const history = rows.body.files["wandb-history.jsonl"];
  expect(history.offset).toBe(0);
  expect(history.content.map((line: string) => JSON.parse(line))).toEqual([
    expect.objectContaining({ _step: 1, "loss/total": 1 }),
    expect.objectContaining({ _step: 2, "loss/total": "NaN", "validation/top-1": 0.5, "test/top-1": 0.25 }),
  ]);
  expect(JSON.parse(rows.body.files["wandb-summary.json"].content[0])).toMatchObject({ _step: 2, "test/top-1": 0.25 });
  expect(end.body).toEqual({ complete: true, exitcode: 0 });
});

test("a server that fails at first gets everything in the end, once", async () => {
  let left = 3;
  const { url, calls } = await serve((call, response) => {
    if (left-- > 0) json(response, {}, [503, 500, 429][left]);
    else mlflow(call, response);
  });
  const { logger, lines } = open(mlflowLogger({ url, experiment: "e", limits: { ...limits, closing: 3000 } }));
  await vi.waitFor(() => expect(lines).toHaveLength(1));
  train(logger);
  await logger.close?.();
  expect(lines).toEqual([
    expect.stringMatching(/^127\.0\.0\.1:\d+ failed \(HTTP status 429\); it is tried again, and the training goes on$/),
  ]);
  expect(calls.filter(({ body }) => body?.metrics)).toHaveLength(1);
  expect(calls.at(-1)?.body.status).toBe("FINISHED");
});

const troubles: Record<string, Answer> = {
  hangs: () => {},
  "hangs in the middle of an answer": (_, response) => void response.writeHead(200).write("{"),
  "breaks off": (_, response) => void response.destroy(),
  fails: (_, response) => json(response, {}, 500),
};
for (const [name, answer] of Object.entries(troubles)) {
  test(`a server that ${name} holds up neither a step nor the end`, async () => {
    const { url } = await serve(answer);
    for (const opener of [
      mlflowLogger({ url, experiment: "e", limits }),
      wandbLogger({ url, key: "secret", project: "p", limits }),
    ]) {
      const { logger, lines } = open(opener);
      const began = performance.now();
      train(logger);
      expect(performance.now() - began).toBeLessThan(200);
      await logger.close?.();
      expect(performance.now() - began).toBeLessThan(limits.closing + 2000);
      expect(lines.at(-1)).toMatch(/^\d+ records have not reached 127\.0\.0\.1:\d+$/);
      expect(lines.length).toBeLessThanOrEqual(2);
      expect(lines.join()).not.toMatch(/secret|c2VjcmV0|\n/);
    }
  });
}

test("a server that refuses, or is none, is asked once", async () => {
  for (const answer of [
    ((_, response) => json(response, { message: "the key secret is wrong" }, 401)) as Answer,
    ((_, response) => void response.end("<html>")) as Answer,
    ((_, response) => json(response, { errors: [{ message: "secret" }] })) as Answer,
  ]) {
    const { url, calls } = await serve(answer);
    const { logger, lines } = open(wandbLogger({ url, key: "secret", project: "p", limits }));
    await vi.waitFor(() => expect(lines).toHaveLength(1));
    train(logger);
    await logger.close?.();
    expect(calls).toHaveLength(1);
    expect(lines).toEqual([
      expect.stringMatching(/^127\.0\.0\.1:\d+ failed \(.*\); no more is sent there, and the training goes on$/),
    ]);
    expect(lines.join()).not.toContain("secret");
  }
});

test("where nobody listens it says so", async () => {
  const { url } = await serve(mlflow);
  closing.splice(0)[0]();
  const { logger, lines } = open(mlflowLogger({ url, experiment: "e", limits }));
  await vi.waitFor(() => expect(lines).toHaveLength(1));
  await logger.close?.();
  expect(lines[0]).toMatch(/failed \(ECONNREFUSED\); it is tried again/);
  expect(lines[1]).toMatch(/^the end of the record has not reached/);
});

test("of a long outage the newest records are kept", async () => {
  let down = true;
  const { url, calls } = await serve((call, response) => (down ? json(response, {}, 500) : wandb(call, response)));
  const { logger, lines } = open(wandbLogger({ url, key: "k", project: "e/p", limits: { ...limits, closing: 5000 } }));
  await vi.waitFor(() => expect(lines).toHaveLength(1));
  for (let step = 1; step <= 10_500; step++) logger.step?.(stepOf(step));
  down = false;
  await logger.close?.();
  expect(lines).toHaveLength(2);
  expect(lines[1]).toMatch(/^the oldest records are dropped until/);
  const sent = calls.flatMap(({ body }) => body.files?.["wandb-history.jsonl"] ?? []);
  expect(sent.map(({ offset }) => offset)).toEqual(Array.from({ length: 10 }, (_, i) => 1000 * i));
  expect(JSON.parse(sent[0].content[0])._step).toBe(501);
  expect(JSON.parse(sent[9].content[999])._step).toBe(10_500);
});
