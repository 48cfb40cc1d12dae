// The servers that lines of the pages speak to, as one on this machine: MLflow, Weights & Biases and the Hugging Face Hub.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { root } from "../support/command.ts";

export interface Servers {
  readonly url: string;
  /** Paths and bodies of all requests. */
  readonly calls: readonly string[];
  close(): void;
}

/** The files of every data set on the Hub. */
const shards = new Map(
  ["train", "validation"].map((split) => {
    const name = `${split}-00000-of-00001.parquet`;
    return [`data/${name}`, readFileSync(join(root, "test/fixtures/photographs/parquet", name))];
  }),
);
const list = [...shards].map(([path, { length }]) => ({ type: "file", path, size: length, oid: "0" }));

/** Answers by what the path has in it, the first that fits. */
const answers: readonly (readonly [path: string, body: object])[] = [
  ["/experiments/get-by-name", { experiment: { experiment_id: "1" } }],
  ["/runs/create", { run: { info: { run_id: "r1" } } }],
  ["/graphql", { data: { upsertBucket: { bucket: { name: "b" } } } }],
  ["/api/datasets/", list],
  ["", {}],
];

export async function serve(): Promise<Servers> {
  const calls: string[] = [];
  const server = createServer(async (request, response) => {
    const { url = "" } = request;
    let text = "";
    for await (const chunk of request) text += chunk;
    calls.push(`${url} ${text}`);
    const [, shard] = url.split("/resolve/main/");
    const body = answers.find(([path]) => url.includes(path))?.[1];
    response.setHeader("content-type", "application/json").end(shards.get(shard) ?? JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
