/** Options that would do nothing beside the others: who gives one means something by it. */
import type { TrainConfig } from "@guidance/guidance";
import { ValueError } from "@guidance/tensor";

const ofFiles = ["--data-folder"];
const ofImages = ["--image-size", "--train-transform", "--transform", "--workers", "--on-bad-image"];
const ofMadeUp = ["channels", "height", "width", "classes", "train", "validation", "test"].map(
  (name) => `--synthetic-${name}`,
);

/** What the data sets of this program do not take; those of plugins are told everything. */
const idle: Readonly<Record<string, readonly string[]>> = {
  mnist: [...ofImages, ...ofMadeUp],
  "fashion-mnist": [...ofImages, ...ofMadeUp],
  cifar10: [...ofImages, ...ofMadeUp],
  cifar100: [...ofImages, ...ofMadeUp],
  synthetic: [...ofFiles, ...ofImages],
  folder: ofMadeUp,
};

/** Throws ValueError for options among those `given` on the command line that have no effect on `config`. */
export function checkEffect(config: TrainConfig, given: ReadonlySet<string>): void {
  const { dataset, schedule, decayEvery } = config;
  const refuse = (flags: readonly string[], where: string, hint: string): void => {
    const found = flags.filter((flag) => given.has(flag));
    if (found.length === 0) return;
    const facts = `${found.length === 1 ? "it has" : "they have"} no effect ${where}`;
    throw new ValueError({ what: `option ${found.join(", ")}`, facts, hint });
  };
  const others = dataset === "folder" ? "images of --data" : `--dataset ${dataset}`;
  const takes = idle[dataset]?.some((flag) => ofMadeUp.includes(flag) && given.has(flag))
    ? "add --dataset synthetic"
    : "add --data <folder>";
  refuse(idle[dataset] ?? [], `on ${others}`, `Leave it out, or ${takes}`);
  const decay = decayEvery === null ? [] : ["--decay-every"];
  if (schedule === "cosine")
    refuse([...decay, "--decay-factor"], "on --schedule cosine", "Leave it out, or take --schedule step");
  if (decayEvery === null) refuse(["--decay-factor"], "without --decay-every", "Add --decay-every <epochs>");
}
