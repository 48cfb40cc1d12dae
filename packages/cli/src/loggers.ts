/**
 * Loggers of a run beside its `metrics.jsonl`: TensorBoard's always, those of servers and plugins where the command line
 * names them. Keys and passwords come from the environment alone, since arguments are kept with the run.
 */
import {
  basicAuthorization,
  type Loggers,
  loggers,
  mlflowLogger,
  type OpenLogger,
  TENSORBOARD,
  wandbLogger,
} from "@guidance/guidance";
import { ValueError } from "@guidance/tensor";
import { type Command, Option } from "commander";

export interface LoggerOptions {
  readonly logger: readonly string[];
  readonly mlflow?: string;
  readonly wandb?: string;
}

export function addLoggerOptions(command: Command): Command {
  return command
    .option("--mlflow <url>", "also record in this MLflow server; its own variables name experiment and credentials")
    .option("--wandb <project>", "also record in W&B, in a project or entity/project, with the key in WANDB_API_KEY")
    .addOption(
      new Option("--logger <name>", "also record with a logger of a plugin; repeatable")
        .argParser((value, before: readonly string[]) => [...before, value])
        .default([], "none"),
    );
}

/** What the options name; throws ValueError for what cannot be used, before anything is trained. */
export function buildLoggers(options: LoggerOptions, environment: NodeJS.ProcessEnv = process.env): Loggers {
  const named = new Map<string, OpenLogger>();
  for (const name of [TENSORBOARD, ...options.logger]) named.set(name, loggers.get(name));
  if (options.mlflow !== undefined) named.set("mlflow", mlflowOf(options.mlflow, environment));
  if (options.wandb !== undefined) named.set("wandb", wandbOf(options.wandb, environment));
  return named;
}

function mlflowOf(address: string, environment: NodeJS.ProcessEnv): OpenLogger {
  const {
    MLFLOW_TRACKING_TOKEN: token,
    MLFLOW_TRACKING_USERNAME: user,
    MLFLOW_TRACKING_PASSWORD: password = "",
    MLFLOW_EXPERIMENT_NAME: experiment = "guidance",
  } = environment;
  const hint = "Give MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN";
  const url = serverUrl("option --mlflow", address, hint);
  const bearer = token ? `Bearer ${checkSecret("MLFLOW_TRACKING_TOKEN", token)}` : undefined;
  return mlflowLogger({ url, experiment, authorization: user ? basicAuthorization(user, password) : bearer });
}

function wandbOf(project: string, environment: NodeJS.ProcessEnv): OpenLogger {
  const { WANDB_API_KEY: key, WANDB_BASE_URL: base = "https://api.wandb.ai" } = environment;
  if (!key) {
    throw new ValueError({
      what: "option --wandb",
      facts: "there is no key in WANDB_API_KEY",
      expected: "a key, which is never written anywhere",
      hint: "Find yours in the settings of your account",
    });
  }
  if (!/^([^/\s]+\/)?[^/\s]+$/.test(project)) {
    throw new ValueError({
      what: "option --wandb",
      facts: `it is "${project}"`,
      expected: "a project, or an entity and a project as entity/project",
    });
  }
  const url = serverUrl("WANDB_BASE_URL", base, "Give the key in WANDB_API_KEY");
  return wandbLogger({ url, key: checkSecret("WANDB_API_KEY", key), project });
}

/** The address of a server; one with a password in it is not repeated. */
function serverUrl(what: string, address: string, hint: string): string {
  const expected = "an address as http://host:port, without user, password and query";
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw new ValueError({ what, facts: "it is no URL", expected });
  }
  if (url.username || url.password || url.search || url.hash) {
    throw new ValueError({ what, facts: "it has more than an address, perhaps a password", expected, hint });
  }
  if (!/^https?:$/.test(url.protocol)) {
    throw new ValueError({ what, facts: `it begins with ${url.protocol}`, expected });
  }
  return url.href;
}

/** What cannot stand in a header would be shown in the error of the request. */
function checkSecret(name: string, secret: string): string {
  if (/^[!-~]+$/.test(secret)) return secret;
  throw new ValueError({ what: name, facts: "it has spaces or letters that no key has", expected: "the key alone" });
}
