// TensorFlow.js at our workloads, on WebGPU (Dawn) or WebAssembly: tfjs.mjs <workload> <webgpu|wasm>
import "./navigator.mjs";
import * as tf from "@tensorflow/tfjs";
import "@tensorflow/tfjs-backend-wasm";
import { setThreadsCount } from "@tensorflow/tfjs-backend-wasm";
import "@tensorflow/tfjs-backend-webgpu";
import * as data from "./data.mjs";
import { main } from "./report.mjs";

const backend = process.argv[3];
if (backend === "wasm") setThreadsCount(2);
await tf.setBackend(backend);
await tf.ready();

/** Times `make`, which returns one tensor; waits by reading one number of it back. */
async function timeTensor(name, make, flops) {
  const value = await make().data();
  const times = await data.time(async () => {
    const tensor = tf.tidy(() => make().flatten().slice(0, 1));
    await tensor.data();
    tensor.dispose();
  });
  return { name, times, check: data.magnitude(value), ...(flops ? { flops } : {}) };
}

async function matmul() {
  const timings = [];
  for (const product of data.products) {
    const { M, N, K, form } = product;
    const [ta, tb] = [form[0] === "T", form[1] === "T"];
    const a = tf.tensor(data.fill(M * K, 0), ta ? [K, M] : [M, K]);
    const b = tf.tensor(data.fill(K * N, 1), tb ? [N, K] : [K, N]);
    timings.push(await timeTensor(data.productName(product), () => tf.matMul(a, b, ta, tb), 2 * M * N * K));
  }
  return timings;
}

async function convolution() {
  const { N, C, O, size, kernel, stride } = data.convolution;
  // tfjs has images as NHWC on these backends, and weights as HWIO
  const x = tf.transpose(tf.tensor(data.fill(N * C * size * size, 0), [N, C, size, size]), [0, 2, 3, 1]);
  const weight = tf.transpose(tf.tensor(data.fill(O * C * kernel * kernel, 1), [O, C, kernel, kernel]), [2, 3, 1, 0]);
  const name = `conv ${kernel}x${kernel} ${C}>${O} @${size}`;
  return timeTensor(name, () => tf.conv2d(x, weight, stride, "same"), 2 * N * C * O * size * size * kernel * kernel);
}

/** Over all axes but the last. */
function normalize(x, weight, bias) {
  const axes = x.shape.map((_, axis) => axis).slice(0, -1);
  const { mean, variance } = tf.moments(x, axes);
  return tf.batchNorm(x, mean, variance, bias, weight, 1e-5);
}

async function normalization() {
  const { N, C, size } = data.batchNorm;
  const image = (salt) =>
    tf.transpose(tf.tensor(data.fill(N * C * size * size, salt), [N, C, size, size]), [0, 2, 3, 1]);
  const [x, direction] = [image(0), image(3)];
  const [weight, bias] = [1, 2].map((salt) => tf.tensor(data.fill(C, salt), [C]));
  const gradients = tf.grads((x, weight, bias) => normalize(x, weight, bias).mul(direction).sum());
  const all = () => {
    const output = normalize(x, weight, bias);
    return [output, ...gradients([x, weight, bias])];
  };
  const checks = await Promise.all(all().map(async (tensor) => data.magnitude(await tensor.data())));
  const times = await data.time(async () => {
    const tensor = tf.tidy(() => tf.addN(all().map((each) => each.flatten().slice(0, 1))));
    await tensor.data();
    tensor.dispose();
  });
  return { name: `batch norm ${C} @${size}, value and gradient`, times, check: checks.reduce((a, b) => a + b) };
}

function cka(x, y) {
  const gram = (features) => {
    const centered = features.sub(features.mean(0, true));
    const product = centered.matMul(centered, false, true);
    return product.div(centered.square().sum());
  };
  const [k, l] = [gram(x), gram(y)];
  return k.mul(l).sum().div(k.square().sum().sqrt().mul(l.square().sum().sqrt()));
}

async function alignment() {
  const timings = [];
  for (const d of data.alignments) {
    const [x, y] = [7, 5].map((period, salt) => tf.tensor(data.features(d, salt, period), [64, d]));
    const derive = tf.valueAndGrad((x) => cka(x, y));
    const first = derive(x);
    const check = data.magnitude(await first.value.data()) + d * data.magnitude(await first.grad.data());
    const times = await data.time(async () => {
      const tensor = tf.tidy(() => {
        const { value, grad } = derive(x);
        return value.add(grad.flatten().slice(0, 1));
      });
      await tensor.data();
      tensor.dispose();
    });
    timings.push({ name: `CKA 64x${d}, value and gradient`, times, check, flops: 2 * 64 * 64 * d * 3 });
  }
  return timings;
}

async function fcn48() {
  const { inputs, width, layers, classes, batch, learningRate } = data.fcn48;
  const images = tf.tensor(data.fill(batch * inputs, 1), [batch, inputs]);
  const labels = tf.oneHot(
    Array.from({ length: batch }, (_, i) => i % 10),
    classes,
  );
  const parameters = [];
  for (let i = 0; i <= layers; i++) {
    const [from, to] = [i === 0 ? inputs : width, i === layers ? classes : width];
    parameters.push({
      weight: tf.variable(tf.tensor(data.fcnWeight(from, to, i), [to, from])),
      bias: tf.variable(tf.zeros([to])),
      ...(i < layers ? { scale: tf.variable(tf.ones([to])), shift: tf.variable(tf.zeros([to])) } : {}),
      ...(i < layers ? { mean: tf.variable(tf.zeros([to]), false), variance: tf.variable(tf.ones([to]), false) } : {}),
    });
  }
  const adam = tf.train.adam(learningRate);
  const forward = () => {
    let x = images;
    for (const { weight, bias, scale, shift, mean, variance } of parameters) {
      x = tf.matMul(x, weight, false, true).add(bias);
      if (!scale) continue;
      const moments = tf.moments(x, 0);
      mean.assign(mean.mul(0.9).add(moments.mean.mul(0.1)));
      variance.assign(variance.mul(0.9).add(moments.variance.mul(0.1)));
      x = tf.relu(tf.batchNorm(x, moments.mean, moments.variance, shift, scale, 1e-5));
    }
    return tf.losses.softmaxCrossEntropy(labels, x);
  };
  const step = async () => {
    const loss = adam.minimize(forward, true);
    const [value] = await loss.data();
    loss.dispose();
    return value;
  };
  const check = await step();
  return { name: "fcn48 step", times: await data.time(step), check };
}

await main(`tfjs ${backend}`, { fcn48, matmul, convolution, normalization, alignment });
