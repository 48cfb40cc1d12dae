// jax-js at our workloads, on WebGPU (Dawn) or WebAssembly with threads: jax.mjs <workload> <webgpu|wasm>
import "./navigator.mjs";
import { blockUntilReady, defaultDevice, init, jit, lax, nn, numpy as np, valueAndGrad } from "@jax-js/jax";
import * as data from "./data.mjs";
import { main } from "./report.mjs";

const device = process.argv[3];
const available = await init(device);
if (!available.includes(device)) throw new Error(`jax-js has no device ${device} here`);
defaultDevice(device);

const array = (values, shape) => np.array(values).reshape(shape);

/** Times a jitted function of arrays, which are kept; the check is the sum of the results' magnitudes, weighted. */
async function timed(name, run, inputs, { flops, weights = [] } = {}) {
  const jitted = jit(run);
  const call = () => [jitted(...inputs.map((input) => input.ref))].flat();
  let check = 0;
  for (const [i, result] of call().entries()) check += data.magnitude(await result.data()) * (weights[i] ?? 1);
  const times = await data.time(async () => {
    const results = await blockUntilReady(call());
    for (const result of results) result.dispose();
  });
  return { name, times, check, ...(flops ? { flops } : {}) };
}

async function matmul() {
  const timings = [];
  for (const product of data.products) {
    const { M, N, K, form } = product;
    const [ta, tb] = [form[0] === "T", form[1] === "T"];
    const a = array(data.fill(M * K, 0), ta ? [K, M] : [M, K]);
    const b = array(data.fill(K * N, 1), tb ? [N, K] : [K, N]);
    const run = (a, b) => np.matmul(ta ? np.transpose(a) : a, tb ? np.transpose(b) : b);
    timings.push(await timed(data.productName(product), run, [a, b], { flops: 2 * M * N * K }));
  }
  return timings;
}

async function convolution() {
  const { N, C, O, size, kernel, stride } = data.convolution;
  const x = array(data.fill(N * C * size * size, 0), [N, C, size, size]);
  const weight = array(data.fill(O * C * kernel * kernel, 1), [O, C, kernel, kernel]);
  const flops = 2 * N * C * O * size * size * kernel * kernel;
  const run = (x, weight) => lax.conv(x, weight, [stride, stride], "SAME");
  return timed(`conv ${kernel}x${kernel} ${C}>${O} @${size}`, run, [x, weight], { flops });
}

function normalize(x, weight, bias) {
  const axes = x.shape.map((_, axis) => axis).filter((axis) => axis !== 1);
  const channel = x.shape.map((size, axis) => (axis === 1 ? size : 1));
  const centered = x.ref.sub(np.mean(x, axes, { keepdims: true }));
  const variance = np.mean(np.square(centered.ref), axes, { keepdims: true });
  const scale = weight.reshape(channel).div(np.sqrt(variance.add(1e-5)));
  return centered.mul(scale).add(bias.reshape(channel));
}

async function normalization() {
  const { N, C, size } = data.batchNorm;
  const shape = [N, C, size, size];
  const image = (salt) => array(data.fill(N * C * size * size, salt), shape);
  const [weight, bias] = [1, 2].map((salt) => array(data.fill(C, salt), [C]));
  const loss = (leaves, direction) =>
    normalize(...leaves)
      .mul(direction)
      .sum();
  const run = (x, weight, bias, direction) => {
    const output = normalize(x.ref, weight.ref, bias.ref);
    const [, gradients] = valueAndGrad(loss)([x, weight, bias], direction);
    return [output, ...gradients];
  };
  return timed(`batch norm ${C} @${size}, value and gradient`, run, [image(0), weight, bias, image(3)]);
}

function cka(x, y) {
  const gram = (features) => {
    const centered = features.ref.sub(np.mean(features, 0, { keepdims: true }));
    const trace = np.square(centered.ref).sum();
    return np.matmul(centered.ref, np.transpose(centered)).div(trace);
  };
  const [k, l] = [gram(x), gram(y)];
  const shared = k.ref.mul(l.ref).sum();
  return shared.div(np.sqrt(np.square(k).sum()).mul(np.sqrt(np.square(l).sum())));
}

async function alignment() {
  const timings = [];
  for (const d of data.alignments) {
    const [x, y] = [7, 5].map((period, salt) => array(data.features(d, salt, period), [64, d]));
    const run = (x, y) => valueAndGrad(cka)(x, y);
    const options = { flops: 2 * 64 * 64 * d * 3, weights: [1, d] };
    timings.push(await timed(`CKA 64x${d}, value and gradient`, run, [x, y], options));
  }
  return timings;
}

async function fcn48() {
  const { inputs, width, layers, classes, batch, learningRate } = data.fcn48;
  const images = array(data.fill(batch * inputs, 1), [batch, inputs]);
  const labels = nn.oneHot(
    np.array(
      Int32Array.from({ length: batch }, (_, i) => i % 10),
      { dtype: np.int32 },
    ),
    classes,
  );
  let parameters = [];
  const statistics = [];
  for (let i = 0; i <= layers; i++) {
    const [from, to] = [i === 0 ? inputs : width, i === layers ? classes : width];
    parameters.push(array(data.fcnWeight(from, to, i), [to, from]), np.zeros([to]));
    if (i === layers) continue;
    parameters.push(np.ones([to]), np.zeros([to]));
    statistics.push(np.zeros([to]), np.ones([to]));
  }
  let [first, second] = [0, 1].map(() => parameters.map(({ shape }) => np.zeros(shape)));
  let count = 0;

  const loss = (parameters, images, labels) => {
    let x = images;
    for (let i = 0; i <= layers; i++) {
      const [weight, bias, scale, shift] = parameters.slice(4 * i, 4 * i + 4);
      x = np.matmul(x, np.transpose(weight)).add(bias);
      if (i < layers) x = nn.relu(normalize(x, scale, shift));
    }
    return nn.logSoftmax(x).mul(labels).sum().div(-batch);
  };
  const step = jit((parameters, first, second, corrections, images, labels) => {
    const [value, gradients] = valueAndGrad(loss)(
      parameters.map((p) => p.ref),
      images,
      labels,
    );
    const [c1, c2] = [corrections.ref.slice(0), corrections.slice(1)];
    const next = [[], [], []];
    gradients.forEach((gradient, i) => {
      const m = first[i].mul(0.9).add(gradient.ref.mul(0.1));
      const v = second[i].mul(0.999).add(np.square(gradient).mul(0.001));
      const update = m.ref
        .div(c1.ref)
        .div(np.sqrt(v.ref.div(c2.ref)).add(1e-8))
        .mul(learningRate);
      next[0].push(parameters[i].sub(update));
      next[1].push(m);
      next[2].push(v);
    });
    c1.dispose();
    c2.dispose();
    return [value, ...next];
  });
  const run = async () => {
    count++;
    const corrections = np.array([1 - 0.9 ** count, 1 - 0.999 ** count]);
    const [value, p, m, v] = step(parameters, first, second, corrections, images.ref, labels.ref);
    [parameters, first, second] = [p, m, v];
    return (await value.data())[0];
  };
  const check = await run();
  return { name: "fcn48 step", times: await data.time(run), check };
}

await main(`jax-js ${device}`, { fcn48, matmul, convolution, normalization, alignment });
