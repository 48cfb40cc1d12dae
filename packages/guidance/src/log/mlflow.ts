/**
 * The record of a network as a run of an MLflow tracking server, by its REST API 2.0
 * (https://mlflow.org/docs/latest/rest-api.html): experiments/get-by-name and create, runs/create, log-batch and update.
 */
import { basename, dirname } from "node:path";
import type { JsonObject } from "../run/json.ts";
import { flatten } from "./flat.ts";
import { AnswerError, ask, textAt } from "./http.ts";
import type { LogStart, OpenLogger } from "./logger.ts";
import { scalarLogger } from "./scalars.ts";
import { type Remote, Upload, type UploadLimits } from "./upload.ts";

/** A server of MLflow, and the experiment there. */
export interface MlflowOptions {
  /** Of the tracking server, e.g. `http://localhost:5000`; without user and password. */
  readonly url: string;
  /** Name of the experiment, made if need be. */
  readonly experiment: string;
  /** Value of the header `Authorization`, if one is needed. */
  readonly authorization?: string | undefined;
  readonly limits?: UploadLimits | undefined;
}

type Metric = JsonObject;

/** Limits of a log-batch request, and of the value of a parameter in older servers. */
const [METRICS, PARAMETERS, VALUE] = [1000, 100, 500];

/** Letters that names may have. */
const nameOf = (text: string): string => text.replace(/[^\w\-. /]/g, "_").slice(0, 250);

class Tracking implements Remote<Metric> {
  readonly address: string;
  readonly most = METRICS;
  /** Some minutes of a fast training with many layers; about 10 MB. */
  readonly queued = 100_000;
  readonly interval = 2000;
  readonly #options: MlflowOptions;
  readonly #start: LogStart;
  #run: string | undefined;

  constructor(options: MlflowOptions, start: LogStart) {
    this.#options = options;
    this.#start = start;
    this.address = new URL(options.url).host;
  }

  async open(signal: AbortSignal): Promise<void> {
    const { folder, arm, config, step } = this.#start;
    const run = basename(dirname(folder));
    const tags = {
      "mlflow.runName": `${run} ${arm}`,
      "guidance.run": run,
      "guidance.arm": arm,
      "guidance.from": `${step}`,
    };
    // made once, also when its parameters have to be sent again
    this.#run ??= textAt(
      await this.#post(signal, "runs/create", {
        experiment_id: await this.#experiment(signal),
        run_name: `${run} ${arm}`,
        start_time: Date.now(),
        tags: Object.entries(tags).map(([key, value]) => ({ key, value })),
      }),
      "run",
      "info",
      "run_id",
    );
    const parameters = flatten(config).map(([key, value]) => ({
      key: nameOf(key),
      value: (typeof value === "string" ? value : JSON.stringify(value)).slice(0, VALUE),
    }));
    for (let i = 0; i < parameters.length; i += PARAMETERS) {
      await this.#post(signal, "runs/log-batch", { run_id: this.#run, params: parameters.slice(i, i + PARAMETERS) });
    }
  }

  async #experiment(signal: AbortSignal): Promise<string> {
    const { experiment } = this.#options;
    const query = `experiments/get-by-name?experiment_name=${encodeURIComponent(experiment)}`;
    try {
      return textAt(await this.#ask(signal, query), "experiment", "experiment_id");
    } catch (error) {
      if (!(error instanceof AnswerError && error.status === 404)) throw error;
      return textAt(await this.#post(signal, "experiments/create", { name: experiment }), "experiment_id");
    }
  }

  async send(metrics: readonly Metric[], signal: AbortSignal): Promise<void> {
    await this.#post(signal, "runs/log-batch", { run_id: this.#run ?? "", metrics });
  }

  async finish(complete: boolean, signal: AbortSignal): Promise<void> {
    const status = complete ? "FINISHED" : "KILLED";
    await this.#post(signal, "runs/update", { run_id: this.#run ?? "", status, end_time: Date.now() });
  }

  #post(signal: AbortSignal, path: string, body: JsonObject): Promise<JsonObject> {
    return this.#ask(signal, path, body);
  }

  #ask(signal: AbortSignal, path: string, body?: JsonObject): Promise<JsonObject> {
    const { url, authorization } = this.#options;
    const base = `${url.replace(/\/+$/, "")}/api/2.0/mlflow/`;
    return ask({ url: base + path, authorization, signal, ...(body === undefined ? {} : { body }) });
  }
}

/** Sends each network as a run of its own; one that is resumed becomes another, with the tag `guidance.from`. */
export function mlflowLogger(options: MlflowOptions): OpenLogger {
  return (start) => {
    const upload = new Upload(new Tracking(options, start), start.warn, options.limits);
    return scalarLogger(start, {
      write(step, scalars) {
        const timestamp = Date.now();
        upload.push(scalars.map(([key, value]) => ({ key: nameOf(key), value, timestamp, step })));
      },
      close: (complete) => upload.close(complete),
    });
  };
}
