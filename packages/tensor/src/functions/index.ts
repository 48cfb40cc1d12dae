/** Functions of ops: activations, losses, normalization, similarity, random tensors. */
export { argMax, gelu, logSoftmax, softmax } from "./activation.ts";
export { linearCka } from "./cka.ts";
export { adaptiveAvgPool2d, concat, linear } from "./layer.ts";
export { type CrossEntropyOptions, crossEntropy, crossEntropyPerSample, topKCorrect } from "./loss.ts";
export { batchNorm, batchNormWith, layerNorm, moments } from "./normalize.ts";
export { dropout, normal, uniform } from "./random.ts";
