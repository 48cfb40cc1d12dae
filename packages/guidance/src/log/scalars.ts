/**
 * What happens in a training as named numbers, under the names that every logger shows: in groups, so that the guided and
 * the unguided student, which are runs of their own there, lie in one picture.
 */
import type { ArmResult } from "../train/evaluate.ts";
import type { InspectionEvent, StepEvent, ValidationEvent } from "../train/observer.ts";
import type { PairNames } from "../train/step.ts";
import type { Logger, LogStart } from "./logger.ts";

export type Scalar = readonly [tag: string, value: number];

function stepScalars(event: StepEvent, layers: readonly PairNames[]): Scalar[] {
  const { loss, crossEntropy, dissimilarity, pairs, similarities, learningRate, seconds, dataSeconds, lossScale } =
    event;
  const guided: Scalar[] =
    pairs === 0
      ? []
      : [
          ["loss/similarity", dissimilarity],
          ["similarity/mean", 1 - dissimilarity / pairs],
        ];
  return [
    ["loss/total", loss],
    ["loss/cross-entropy", crossEntropy],
    ...guided,
    ...similarities.map((value, i): Scalar => [`similarity/${layers[i]?.student ?? i}`, value]),
    ["rate/learning", learningRate],
    ["time/step", seconds],
    ["time/data", dataSeconds],
    ...(lossScale === undefined ? [] : ([["rate/loss-scale", lossScale]] as const)),
  ];
}

const validationScalars = ({ loss, top1, top5 }: ValidationEvent): Scalar[] => [
  ["validation/loss", loss],
  ["validation/top-1", top1],
  ["validation/top-5", top5],
];

const inspectionScalars = ({ similarities, gradients }: InspectionEvent): Scalar[] => [
  ...similarities.map(({ student, similarity }): Scalar => [`inspected/${student}`, similarity]),
  ...gradients.map(({ layer, norm }): Scalar => [`gradient/${layer}`, norm]),
];

const resultScalars = ({ test: { loss, top1, top5 } }: ArmResult): Scalar[] => [
  ["test/loss", loss],
  ["test/top-1", top1],
  ["test/top-5", top5],
];

export interface ScalarSink {
  write(step: number, scalars: readonly Scalar[]): void;
  saving?(): void;
  /** `complete`: the training came to its end. */
  close(complete: boolean): void | Promise<void>;
}

/** A logger that hands on numbers. */
export function scalarLogger({ step: done }: LogStart, sink: ScalarSink): Logger {
  let layers: readonly PairNames[] = [];
  let [last, complete] = [done, false];
  const write = (step: number, scalars: readonly Scalar[]) => {
    last = step;
    sink.write(step, scalars);
  };
  return {
    layers(pairs) {
      layers = pairs;
    },
    step: (event) => write(event.step, stepScalars(event, layers)),
    validation: (event) => write(event.step, validationScalars(event)),
    inspection: (event) => write(event.step, inspectionScalars(event)),
    saving: () => sink.saving?.(),
    end(result) {
      complete = true;
      if (result) write(last, resultScalars(result));
    },
    close: () => sink.close(complete),
  };
}
