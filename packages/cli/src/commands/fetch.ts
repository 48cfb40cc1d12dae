/** `guidance fetch`: the Parquet shards of a data set from the Hugging Face Hub. */
import { fetchShards } from "@guidance/guidance";
import { formatBytes } from "@guidance/tensor";
import type { Command } from "commander";
import { OfferingOption, oneOf } from "../choices.ts";
import { addExamples } from "../examples.ts";
import { addOutputOptions, Output, type OutputOptions } from "../report/output.ts";
import { checkFolder } from "./output-file.ts";

const splits = ["train", "validation", "test"] as const;
type Split = (typeof splits)[number];

interface FetchOptions extends OutputOptions {
  readonly revision?: string;
  readonly split: readonly Split[];
}

export function addFetch(program: Command): void {
  const command = program
    .command("fetch")
    .description("fetch the Parquet shards of a Hugging Face data set (with HF_TOKEN where it asks for one), resumably")
    .argument("<dataset>", "e.g. ILSVRC/imagenet-1k")
    .argument("<folder>", "where they go; train --data takes it")
    .option("--revision <name>", "branch, tag or commit (default: main)")
    .addOption(
      new OfferingOption(
        "--split <split>",
        `one of ${splits.join(", ")}; repeatable (default: train and validation)`,
        splits,
      )
        .argParser((text: string, before: readonly Split[]) => [...before, oneOf(splits)(text)])
        .default([], "train and validation"),
    );
  addOutputOptions(command, "print the paths as JSON");
  addExamples(command, [
    ["ILSVRC/imagenet-1k ~/imagenet", "157 GB; with HF_TOKEN in the environment, and it goes on where it broke off"],
    ["zh-plus/tiny-imagenet tiny --split validation", "one split of a data set that anyone may have"],
  ]);
  command.action(fetchDataset);
}

async function fetchDataset(dataset: string, folder: string, options: FetchOptions): Promise<void> {
  const { revision, split } = options;
  await checkFolder("fetch", folder);
  const output = new Output(options);
  try {
    const paths = await fetchShards(dataset, {
      folder,
      ...(revision === undefined ? {} : { revision }),
      ...(split.length > 0 ? { splits: split } : {}),
      progress: ({ file, bytes, totalBytes }) =>
        output.progress({
          label: "fetch",
          done: bytes,
          total: totalBytes,
          detail: `${file}, ${formatBytes(bytes)} of ${formatBytes(totalBytes)}`,
        }),
    });
    output.close();
    output.result(`${paths.length} shards are in ${folder}; train on them with --data ${folder}`, { folder, paths });
  } finally {
    output.close();
  }
}
