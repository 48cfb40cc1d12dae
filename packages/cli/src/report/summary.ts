/** The end of `guidance train`: a table of test scores, and what it does and does not show. */
import {
  type ArmResult,
  defaultConfig,
  type ExperimentResult,
  type Scores,
  type TrainConfig,
} from "@guidance/guidance";
import { duration, percent, table } from "./format.ts";

const scores = ({ top1, top5, loss }: Scores): string[] => [percent(top1), percent(top5), loss.toFixed(4)];

const names = { guided: "student with guide", unguided: "the same student without guide" };

function armRows({ arm, steps, test, testAtBest, bestStep, secondsPerStep }: ArmResult): string[][] {
  return [
    [`${names[arm]}, last weights (step ${steps})`, ...scores(test), duration(secondsPerStep)],
    [`${names[arm]}, best validation (step ${bestStep})`, ...scores(testAtBest), ""],
  ];
}

const origins = { random: "random weights", trained: "trained in this run", cached: "trained before" };

/** The table, the adapter and the time. */
export function resultTable(result: ExperimentResult, seconds: number): string {
  const { arms, guide, adapter } = result;
  const rows = [
    ["on the test images", "top-1", "top-5", "loss", "time/step"],
    ...arms.flatMap(armRows),
    [`the guide itself (${origins[guide.origin]})`, ...scores(guide), ""],
  ];
  return `${table(rows)}\n\nadapter ${adapter}, ${duration(seconds)} in all`;
}

/** Whether a configuration is the demonstration, up to its seed. */
function isDemo(config: TrainConfig): boolean {
  return JSON.stringify({ ...config, seed: 0, dataFolder: null }) === JSON.stringify(defaultConfig);
}

/** What the table does and does not show, in sentences. */
export function caveats(config: TrainConfig): string[] {
  const lines: string[] = [];
  if (config.baseline) {
    const both = `Both students had the same initial weights, batches and learning rate (${config.learningRate}).`;
    const rates =
      " The rate favours neither on purpose: at 3e-3 PyTorch took the unguided student to 36-52 % and the guided one to 70-78 % (three seeds).";
    lines.push(both + (isDemo(config) ? rates : ""));
  }
  if (config.guide.steps > 0) {
    lines.push(
      `The guide has itself seen labels (${config.guide.steps} steps of training), and part of the gain is that.` +
        (isDemo(config)
          ? " With a random guide (--guide-steps 0 --alpha 1) PyTorch gave 30-36 % against 15-24 % (three seeds)."
          : ""),
    );
  }
  return lines;
}
