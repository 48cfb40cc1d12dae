/**
 * `pnpm bench`: our workloads, and with `--peers` the same work in other engines. Every engine and workload is a process of
 * its own; engines take turns, round by round, so that what else the machine does meets all of them. Results are
 * checked against each other, and a time is only reported for a result that is right.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { Command, InvalidArgumentError } from "commander";
import { findPeers, own, run, sharedWorkloads } from "./engines.ts";
import type { Report } from "./result.ts";
import { collect, type Measurements, table } from "./table.ts";
import { workloads } from "./workloads/index.ts";

const names = Object.keys(workloads);

function parseNames(text: string): string[] {
  const chosen = text.split(",");
  const unknown = chosen.find((name) => !names.includes(name));
  if (unknown) throw new InvalidArgumentError(`There is no workload "${unknown}". There are: ${names.join(", ")}.`);
  return chosen;
}

function parseRounds(text: string): number {
  const rounds = Number(text);
  if (!Number.isInteger(rounds) || rounds < 1) throw new InvalidArgumentError("Expected a whole number from 1 on.");
  return rounds;
}

const command = new Command("bench")
  .description("times our workloads; with --peers also other engines at the same work, in turn")
  .option("--only <workloads>", `comma-separated: ${names.join(", ")}`, parseNames, names)
  .option("--rounds <n>", "how often each is run, in turn", parseRounds, 1)
  .option("--peers", "also tfjs, jax-js and PyTorch; installs the first two into bench/peers", false)
  .option("--json <file>", "where all figures go", "bench/results/latest.json")
  .option("--docs", "also put the table into docs/performance.md", false);

interface Options {
  readonly only: string[];
  readonly rounds: number;
  readonly peers: boolean;
  readonly json: string;
  readonly docs: boolean;
}
const { only, rounds, peers, json, docs } = command.parse().opts<Options>();

const say = (line: string) => console.error(line);
const engines = [own, ...(peers ? findPeers(say) : [])];
const reports: { engine: string; report: Report }[] = [];
const failures = new Map<string, string>();
for (let round = 0; round < rounds; round++) {
  for (const workload of only) {
    for (const engine of engines) {
      if (engine !== own && !sharedWorkloads.includes(workload)) continue;
      const key = `${engine.name}, ${workload}`;
      if (failures.has(key)) continue;
      say(`round ${round + 1} of ${rounds}: ${key}`);
      const result = await run(engine, workload);
      if (typeof result === "string") failures.set(key, result);
      else reports.push({ engine: engine.name, report: result });
    }
  }
}

const measurements: Measurements = collect(reports, own.name);
const machine = { processor: cpus()[0]?.model ?? "unknown", cores: cpus().length, node: process.version };
const device = reports.find(({ engine }) => engine === own.name)?.report.engine;
mkdirSync(new URL("../results", import.meta.url), { recursive: true });
const root = new URL("../../", import.meta.url);
writeFileSync(
  new URL(json, root),
  `${JSON.stringify({ command: process.argv.slice(2), machine, device, measurements, failures: [...failures] }, undefined, 1)}\n`,
);
const text = [
  `\`pnpm bench ${process.argv.slice(2).join(" ")}\` on ${machine.cores} x ${machine.processor}, Node ${machine.node}, ${device}:`,
  "",
  table(
    measurements,
    engines.map(({ name }) => name),
  ),
  ...[...failures].map(([key, reason]) => `\nnot measured: ${key}: ${reason}`),
].join("\n");
console.log(text);
if (docs) writeBetweenMarks(new URL("docs/performance.md", root), text);
if (failures.size > 0 && [...failures.keys()].some((key) => key.startsWith(own.name))) process.exitCode = 1;

/** Replaces what stands between the two marks in a document. */
function writeBetweenMarks(file: URL, text: string): void {
  const [begin, end] = ["<!-- bench -->", "<!-- /bench -->"];
  const document = readFileSync(file, "utf8");
  const [from, to] = [document.indexOf(begin) + begin.length, document.indexOf(end)];
  if (from < begin.length || to < from)
    throw new Error(`${file.pathname} has no place for a table: ${begin} ... ${end}`);
  writeFileSync(file, `${document.slice(0, from)}\n${text}\n${document.slice(to)}`);
}
