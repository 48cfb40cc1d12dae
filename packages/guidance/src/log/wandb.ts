/**
 * The record of a network as a run of Weights & Biases. Their own package for Node ends the process on Ctrl-C and on
 * failures, so this speaks what it speaks (@wandb/sdk 0.5.1, and file_stream.py of the Python client): a GraphQL mutation
 * that makes the run, and lines of `wandb-history.jsonl` sent to its file stream.
 */
import { randomBytes } from "node:crypto";
import { basename, dirname } from "node:path";
import { encodeJson, isJsonObject, type JsonObject } from "../run/json.ts";
import { AnswerError, ask, basicAuthorization, textAt } from "./http.ts";
import type { LogStart, OpenLogger } from "./logger.ts";
import { scalarLogger } from "./scalars.ts";
import { type Remote, Upload, type UploadLimits } from "./upload.ts";

/** A server of Weights & Biases, and the project there. */
export interface WandbOptions {
  /** Of the API, `https://api.wandb.ai` unless the server is one's own. */
  readonly url: string;
  readonly key: string;
  /** `project`, or `entity/project`; else the entity is the key's default one. */
  readonly project: string;
  readonly limits?: UploadLimits | undefined;
}

/** The numbers of one step, gathered from all that happens at it. */
type Row = JsonObject;

const VIEWER = "query Viewer { viewer { entity } }";
const UPSERT = `mutation UpsertBucket($name: String, $project: String, $entity: String, $groupName: String,
    $displayName: String, $config: JSONString, $jobType: String) {
  upsertBucket(input: { name: $name, modelName: $project, entityName: $entity, groupName: $groupName,
      displayName: $displayName, config: $config, jobType: $jobType }) { bucket { name } }
}`;

class FileStream implements Remote<Row> {
  readonly address: string;
  readonly most = 1000;
  readonly queued = 10_000;
  // their clients send every 2 s at first and then every 10 to 30 s, or are refused
  readonly interval = 10_000;
  readonly #options: WandbOptions;
  readonly #start: LogStart;
  readonly #name = randomBytes(4).toString("hex");
  readonly #began = Date.now();
  /** Where the run is: `<entity>/<project>/<name>`. */
  #path: string | undefined;
  /** Lines that have arrived. */
  #lines = 0;
  #summary: Row = {};

  constructor(options: WandbOptions, start: LogStart) {
    this.#options = options;
    this.#start = start;
    this.address = new URL(options.url).host;
  }

  async open(signal: AbortSignal): Promise<void> {
    const { folder, arm, config, step } = this.#start;
    const [project, owner] = this.#options.project.split("/").reverse();
    const entity = owner ?? textAt(await this.#query(signal, VIEWER, {}), "viewer", "entity");
    const run = basename(dirname(folder));
    const values = { ...config, "guidance.from": step };
    await this.#query(signal, UPSERT, {
      name: this.#name,
      project,
      entity,
      groupName: run,
      displayName: `${run} ${arm}`,
      jobType: arm,
      config: JSON.stringify(Object.fromEntries(Object.entries(values).map(([key, value]) => [key, { value }]))),
    });
    this.#path = [entity, project, this.#name].map(encodeURIComponent).join("/");
  }

  async send(rows: readonly Row[], signal: AbortSignal): Promise<void> {
    const summary = Object.assign({}, this.#summary, ...rows) as Row;
    await this.#stream(signal, {
      files: {
        // at the same place when sent again
        "wandb-history.jsonl": { offset: this.#lines, content: rows.map((row) => encodeJson(row)) },
        "wandb-summary.json": { offset: 0, content: [encodeJson(summary)] },
      },
    });
    this.#summary = summary;
    this.#lines += rows.length;
  }

  async finish(complete: boolean, signal: AbortSignal): Promise<void> {
    await this.#stream(signal, { complete: true, exitcode: complete ? 0 : 1 });
  }

  row(step: number): Row {
    const now = Date.now();
    return { _step: step, _timestamp: now / 1000, _runtime: (now - this.#began) / 1000 };
  }

  #stream(signal: AbortSignal, body: JsonObject): Promise<JsonObject> {
    return this.#post(signal, `/files/${this.#path}/file_stream`, body);
  }

  async #query(signal: AbortSignal, query: string, variables: JsonObject): Promise<JsonObject> {
    const { data, errors } = await this.#post(signal, "/graphql", { query, variables });
    if (Array.isArray(errors) || !isJsonObject(data)) throw new AnswerError("it refuses the run", false);
    return data;
  }

  #post(signal: AbortSignal, path: string, body: JsonObject): Promise<JsonObject> {
    const { url, key } = this.#options;
    const authorization = basicAuthorization("api", key);
    return ask({ url: url.replace(/\/+$/, "") + path, body, authorization, signal });
  }
}

/** Sends each network as a run of its own, those of one training in a group; one that is resumed becomes another. */
export function wandbLogger(options: WandbOptions): OpenLogger {
  return (start) => {
    const remote = new FileStream(options, start);
    const upload = new Upload(remote, start.warn, options.limits);
    let row: Row | undefined;
    const finishRow = () => {
      if (row) upload.push([row]);
      row = undefined;
    };
    return scalarLogger(start, {
      write(step, scalars) {
        // a step is one line: a second one of it would be dropped there
        if (row?._step !== step) finishRow();
        row = { ...(row ?? remote.row(step)), ...Object.fromEntries(scalars) };
      },
      close(complete) {
        finishRow();
        return upload.close(complete);
      },
    });
  };
}
