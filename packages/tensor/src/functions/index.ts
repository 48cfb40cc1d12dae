/** Functions of ops: activations, losses, normalization, similarity, random tensors. */
export { argMax, gelu, logSoftmax, softmax } from "./activation.ts";
export { linearCka, linearRelations } from "./cka.ts";
export type { Relations } from "./gram.ts";
export { adaptiveAvgPool2d, concat, linear } from "./layer.ts";
export { type CrossEntropyOptions, crossEntropy, crossEntropyPerSample, topKCorrect } from "./loss.ts";
export { batchNorm, batchNormWith, layerNorm, moments } from "./normalize.ts";
export { procrustes } from "./procrustes.ts";
export { dropout, normal, uniform } from "./random.ts";
export { rbfCka, rbfRelations } from "./rbf-cka.ts";
export { distanceRelations, rsa } from "./rsa.ts";
export { unbiasedLinearRelations, unbiasedRbfRelations } from "./unbiased.ts";
