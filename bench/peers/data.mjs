// The same numbers in every engine, and in Python by the same formula.

/** `count` numbers in [-0.5, 0.5); `salt` tells tensors apart. */
export function fill(count, salt) {
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) values[i] = (((i + salt * 131) * 7919) % 10007) / 10007 - 0.5;
  return values;
}

/** Sizes of the fcn48 workload: Linear + batch norm + ReLU, 48 times, then Linear. */
export const fcn48 = { inputs: 3072, width: 256, layers: 48, classes: 10, batch: 64, learningRate: 1e-3 };

/** Weight [outputs, inputs] of layer `i` of fcn48. */
export const fcnWeight = (inputs, outputs, i) => fill(inputs * outputs, i + 10).map((x) => (x * 4) / Math.sqrt(inputs));

/** [M, N, K], and which operand is stored transposed. */
export const products = [
  ...[512, 1024].flatMap((n) => ["NN", "NT", "TN"].map((form) => ({ M: n, N: n, K: n, form }))),
  { M: 256, N: 1024, K: 2048, form: "NN" },
];
export const productName = ({ M, N, K, form }) => `matmul ${M === N && N === K ? M : `${M}x${K}x${N}`} ${form}`;

/** x [N, C, size, size] with weights [O, C, kernel, kernel], stride, padding (kernel - 1) / 2. */
export const convolution = { N: 8, C: 64, O: 64, size: 56, kernel: 3, stride: 1 };

/** x [N, C, size, size]: normalized over all but C; value and gradient of sum(y * y) wrt x. */
export const batchNorm = { N: 8, C: 64, size: 56 };

/** Linear CKA of two [64, d]: value and gradient wrt the first. */
export const alignments = [4096, 65536];

/** Features [64, d] whose rows differ in size, every `period` alike: those of two periods are neither equal nor unrelated. */
export const features = (d, salt, period) => fill(64 * d, salt).map((x, i) => x * (1 + (Math.floor(i / d) % period)));

/** Milliseconds of runs of an async function: two to warm up, then for a second, at least five, at most fifty. */
export async function time(run) {
  for (let i = 0; i < 2; i++) await run();
  const times = [];
  const end = performance.now() + 1000;
  while (times.length < 5 || (performance.now() < end && times.length < 50)) {
    const start = performance.now();
    await run();
    times.push(performance.now() - start);
  }
  return times;
}

/** Mean of |x|. */
export function magnitude(values) {
  let sum = 0;
  for (const value of values) sum += Math.abs(value);
  return sum / values.length;
}
