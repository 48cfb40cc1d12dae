/** Functions of ops: activations, losses, normalization, similarity, random tensors. */
export { argMax, gelu, logSoftmax, softmax } from "./activation.ts";
export { linearCka } from "./cka.ts";
export { adaptiveAvgPool2d, concat, linear } from "./layer.ts";
export { crossEntropy, crossEntropyPerSample, topKCorrect } from "./loss.ts";
export { batchNorm, batchNormWith, layerNorm, moments } from "./normalize.ts";
export { dropout, uniform } from "./random.ts";
