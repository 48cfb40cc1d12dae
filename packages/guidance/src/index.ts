/**
 * Public surface of @guidance/guidance. Re-exports only.
 *
 * @module @guidance/guidance
 */

export * from "./compare/compare.ts";
export * from "./compare/comparison.ts";
export { comparisonNames, type Estimator, estimators, measureOf } from "./compare/measures.ts";
export type { FeatureMatrix } from "./compare/principal.ts";
export { exactProcrustes, pwcca, svcca } from "./compare/principal-similarities.ts";
export * from "./data/batches.ts";
export * from "./data/cifar.ts";
export * from "./data/dataset.ts";
export * from "./data/errors.ts";
export * from "./data/fashion-mnist.ts";
export * from "./data/idx.ts";
export * from "./data/idx-folder.ts";
export * from "./data/images/bad-image.ts";
export * from "./data/images/decoded-source.ts";
export * from "./data/images/encoded.ts";
export * from "./data/images/hub.ts";
export * from "./data/images/image-folder.ts";
export * from "./data/images/open.ts";
export * from "./data/images/parquet-images.ts";
export type { DrawKey } from "./data/images/random-crop.ts";
export type { Pixels } from "./data/images/resize.ts";
export * from "./data/images/tar-images.ts";
export * from "./data/images/transform.ts";
export {
  type PixelTransform,
  type TransformRequest,
  threadModules,
  transforms,
} from "./data/images/transforms.ts";
export * from "./data/memory-source.ts";
export * from "./data/mnist.ts";
export * from "./data/registry.ts";
export * from "./data/source.ts";
export * from "./data/synthetic.ts";
export * from "./features/mapping.ts";
export * from "./features/observe.ts";
export * from "./features/pair.ts";
export { flatten } from "./log/flat.ts";
export { basicAuthorization } from "./log/http.ts";
export * from "./log/logger.ts";
export * from "./log/mlflow.ts";
export * from "./log/registry.ts";
export * from "./log/tensorboard.ts";
export * from "./log/wandb.ts";
export * from "./method/loss.ts";
export * from "./method/similarity.ts";
export * from "./models/deep-fcn.ts";
export * from "./models/network.ts";
export * from "./models/registry.ts";
export * from "./models/resnet18.ts";
export * from "./models/summarize.ts";
export { nearestName } from "./nearest.ts";
export { Registry } from "./registry.ts";
export {
  type Checkpoint,
  checkCheckpoint,
  removeCheckpoint,
  type TensorSource,
  writeCheckpoint,
} from "./run/checkpoint.ts";
export { hashFile } from "./run/chunks.ts";
export * from "./run/data-file.ts";
export { RunError } from "./run/errors.ts";
export * from "./run/files.ts";
export * from "./run/folder.ts";
export * from "./run/json.ts";
export { lockRun } from "./run/lock.ts";
export * from "./run/metrics.ts";
export * from "./run/open-checkpoint.ts";
export * from "./run/sealed.ts";
export * from "./run/tensors.ts";
export { systemReason } from "./system-error.ts";
export * from "./train/arm.ts";
export * from "./train/build.ts";
export * from "./train/check.ts";
export { checkNames } from "./train/check-names.ts";
export * from "./train/config.ts";
export * from "./train/diagnose.ts";
export * from "./train/errors.ts";
export * from "./train/evaluate.ts";
export * from "./train/experiment.ts";
export * from "./train/fit.ts";
export * from "./train/guide.ts";
export { type GuideRecord, readGuideRecord } from "./train/guide-record.ts";
export * from "./train/history.ts";
export * from "./train/image-input.ts";
export * from "./train/inspect.ts";
export { largestRun } from "./train/largest-run.ts";
export * from "./train/observer.ts";
export * from "./train/plan.ts";
export * from "./train/planning.ts";
export * from "./train/predict.ts";
export * from "./train/score.ts";
export * from "./train/state.ts";
export * from "./train/step.ts";
export * from "./train/task.ts";
export * from "./weights/errors.ts";
export * from "./weights/load.ts";
export { openWeights } from "./weights/open.ts";
export * from "./weights/save.ts";
export type { WeightsFile, WeightsFormat } from "./weights/weights-file.ts";
