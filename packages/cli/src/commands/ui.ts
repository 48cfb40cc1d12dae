/** `guidance ui`: the dashboard of the runs in a folder, in the browser. */
import { constants, setPriority } from "node:os";
import { type Command, InvalidArgumentError } from "commander";
import { describeError } from "../errors.ts";
import { addExamples } from "../examples.ts";
import { addOutputOptions, Output, type OutputOptions } from "../report/output.ts";
import { OF_TRAINING, type UiNews } from "../ui/launch.ts";
import { DEFAULT_HOST, DEFAULT_PORT, serveUi } from "../ui/server/server.ts";

export interface UiCommandOptions extends OutputOptions {
  readonly host: string;
  readonly port?: number;
}

function parsePort(text: string): number {
  const port = Number(text);
  if (text.trim() !== "" && Number.isInteger(port) && port >= 0 && port < 2 ** 16) return port;
  throw new InvalidArgumentError("Expected a port from 0 to 65535; 0 takes any that is free.");
}

/** An empty address would be every one that the machine has. */
function parseHost(text: string): string {
  if (text.trim() !== "") return text.trim();
  throw new InvalidArgumentError("Expected an address, such as 127.0.0.1.");
}

/** Adds `--port` and `--host`. */
export function addUiOptions(command: Command): Command {
  return command
    .option("--port <port>", `port of the dashboard (default: ${DEFAULT_PORT}, or any where that is taken)`, parsePort)
    .option(
      "--host <address>",
      "address it listens on; 0.0.0.0 shows it to the network, without a password",
      parseHost,
      DEFAULT_HOST,
    );
}

export function addUi(program: Command): void {
  const command = program
    .command("ui")
    .description("the dashboard: curves, layers and comparison of runs in the browser, finished or not")
    .argument("[folder]", "folder of runs, or of one run", "runs");
  addOutputOptions(addUiOptions(command), "print the address as JSON");
  addExamples(command, [
    ["", "all runs in ./runs"],
    ["runs/20260131-120000-mnist", "one run"],
    ["~/experiments --port 8080", "another folder and port; from elsewhere: ssh -L 8080:localhost:8080 gpu-box"],
  ]);
  command.action((folder: string, options: UiCommandOptions) => ui(folder, options));
}

async function ui(folder: string, options: UiCommandOptions): Promise<void> {
  if (process.env[OF_TRAINING] !== undefined) return serveTraining(folder, options);
  const served = await serveUi(folder, options);
  const output = new Output(options);
  output.result(`dashboard ${served.url}`, { url: served.url });
  for (const other of served.others) output.line(`or        ${other}`);
  output.line("Ctrl-C ends it");
  await new Promise<void>((resolve) => {
    process.once("SIGINT", resolve);
    process.once("SIGTERM", resolve);
  });
  await served.close();
}

/** As the process of a training: tells it where the dashboard is, and ends when it does. */
async function serveTraining(folder: string, options: UiCommandOptions): Promise<void> {
  const ended = new Promise((resolve) => process.once("disconnect", resolve));
  const tell = (news: UiNews) => new Promise((resolve) => process.send?.(news, resolve));
  try {
    const served = await serveUi(folder, options);
    await tell({ url: served.url });
    yieldToTraining();
    await ended;
    await served.close();
  } catch (error) {
    await tell({ error: describeError(error) });
    if (process.connected) process.disconnect();
  }
}

/** Once it serves, training goes first, where the system lets us say so: until then nobody could look. */
function yieldToTraining(): void {
  try {
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {}
}
