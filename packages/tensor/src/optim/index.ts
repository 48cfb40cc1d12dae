/** Optimizers that read like torch.optim. */
export { Adam, type AdamOptions, AdamW } from "./adam.ts";
export { clipGradients } from "./clip.ts";
export { LossScaler, type LossScalerOptions } from "./loss-scale.ts";
export { type Gradients, type HostScalars, Optimizer, type OptimizerOptions } from "./optimizer.ts";
export { cosineDecay, stepDecay, warmUp } from "./schedule.ts";
export { SGD, type SgdOptions } from "./sgd.ts";
