/** `guidance fetch`: the Parquet shards of a data set from the Hugging Face Hub. */
import { fetchShards } from "@guidance/guidance";
import { formatBytes } from "@guidance/tensor";
import { type Command, Option } from "commander";
import { oneOf } from "../options.ts";
import { openScreen } from "../report/screen.ts";

const splits = ["train", "validation", "test"] as const;
type Split = (typeof splits)[number];

interface FetchOptions {
  readonly revision?: string;
  readonly split: readonly Split[];
}

export function addFetch(program: Command): void {
  program
    .command("fetch")
    .description("fetch the Parquet shards of a Hugging Face data set (with HF_TOKEN where it asks for one), resumably")
    .argument("<dataset>", "e.g. ILSVRC/imagenet-1k")
    .argument("<folder>", "where they go; train --data takes it")
    .option("--revision <name>", "branch, tag or commit (default: main)")
    .addOption(
      new Option("--split <split>", `one of ${splits.join(", ")}; repeatable (default: train and validation)`)
        .argParser((text: string, before: readonly Split[]) => [...before, oneOf(splits)(text)])
        .default([], "train and validation"),
    )
    .option("--debug", "show stacks of errors")
    .action(fetchDataset);
}

async function fetchDataset(dataset: string, folder: string, { revision, split }: FetchOptions): Promise<void> {
  const screen = openScreen();
  try {
    const paths = await fetchShards(dataset, {
      folder,
      ...(revision === undefined ? {} : { revision }),
      ...(split.length > 0 ? { splits: split } : {}),
      progress: ({ file, bytes, totalBytes }) =>
        screen.progress({
          label: "fetch",
          done: bytes,
          total: totalBytes,
          detail: `${file}, ${formatBytes(bytes)} of ${formatBytes(totalBytes)}`,
        }),
    });
    screen.line(`${paths.length} shards are in ${folder}; train on them with --data ${folder}`);
  } finally {
    screen.close();
  }
}
