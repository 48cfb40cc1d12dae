/** Layers that read like torch.nn. */
export { storeHalves } from "./halves.ts";
export { normalInitial, uniformInitial } from "./init.ts";
export { Conv2d, type Conv2dOptions, type LayerOptions, Linear, type Size } from "./layers.ts";
export { type ForwardHook, Module } from "./module.ts";
export { BatchNorm1d, BatchNorm2d, type BatchNormOptions } from "./norm.ts";
export { AdaptiveAvgPool2d, Dropout, Flatten, MaxPool2d, ReLU, Sequential } from "./plain.ts";
export { fromStored, type StateDict, StateDictError, storedType, toStored } from "./state-dict.ts";
