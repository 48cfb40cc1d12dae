// Random cases of every op, in one table: gradient tests and backend conformance draw from it. The tables are typed by
// the op names, so an op without a generator fails to compile.

import {
  type ConvAttrs,
  type CoreName,
  coreOps,
  type ElementwiseName,
  elementCount,
  elementwiseOps,
  elementwiseRows,
  type OpDefinition,
  type PoolAttrs,
  type ReductionName,
  Tensor,
  type TensorType,
} from "@guidance/tensor";
import fc from "fast-check";
import {
  type CaseInput,
  caseInput,
  type Draw,
  distinct,
  few,
  flags,
  floats,
  integers,
  mix,
  other,
  overflowing,
  positive,
  rounded,
  seeds,
  shapes,
  signed,
  tiny,
  wide,
  wideUnsigned,
} from "./draws.ts";
import { type OpCase, withHalves } from "./op-case.ts";

export type { OpCase } from "./op-case.ts";

/** The same op on tensors it was not written with. */
function applyOp<Attrs>(op: OpDefinition<Attrs>, attrs: Attrs): OpCase["apply"] {
  return (inputs) => new Tensor(op as OpDefinition, inputs, attrs, op.infer(inputs, attrs), new Error());
}

// -- elementwise -------------------------------------------------------------------------------------------------------

/** The arguments of every elementwise op, in a variant for each dtype it accepts and more where ranges matter. */
const elementwiseDraws: { readonly [Name in ElementwiseName]: readonly (readonly Draw[])[] } = {
  neg: [[signed], [integers("i32", -9, 9)]],
  abs: [[signed], [integers("i32", -9, 9)]],
  sign: [[signed], [few], [integers("i32", -9, 9)]],
  floor: [[signed]],
  exp: [[signed]],
  expm1: [[signed], [floats(-1e-3, 1e-3, 1e-4)]],
  log: [[positive]],
  log1p: [[floats(-0.75, 4)], [floats(-1e-3, 1e-3, 1e-4)]],
  sqrt: [[positive]],
  reciprocal: [[positive], [floats(-4, -0.25, -0.03)]],
  sin: [[signed]],
  cos: [[signed]],
  tanh: [[signed]],
  sigmoid: [[floats(-20, 20)], [signed]],
  relu: [[signed], [integers("i32", -9, 9)]],
  erf: [[signed]],
  isFinite: [[signed]],
  not: [[flags]],
  detach: [[signed], [integers("i32", -9, 9)], [integers("u32", 0, 9)], [flags]],
  unitFromBits: [[integers("u32", 0, 2 ** 32 - 2)]],
  add: [
    [signed, other],
    [integers("i32", -9, 9), integers("i32", -9, 9)],
    [wide, wide],
    [wideUnsigned, wideUnsigned],
  ],
  sub: [
    [signed, other],
    [integers("i32", -9, 9), integers("i32", -9, 9)],
    [wide, wide],
    [wideUnsigned, wideUnsigned],
  ],
  mul: [
    [signed, other],
    [integers("i32", -9, 9), integers("i32", -9, 9)],
    [wide, wide],
    [wideUnsigned, wideUnsigned],
  ],
  div: [
    [signed, positive],
    [signed, floats(-4, -0.25, -0.03)],
    [integers("i32", -99, 99), integers("i32", -4, 4)],
    [wideUnsigned, integers("u32", 0, 9)],
  ],
  pow: [[positive, signed]],
  maximum: [
    [signed, other],
    [integers("i32", -9, 9), integers("i32", -9, 9)],
    [wideUnsigned, wideUnsigned],
  ],
  minimum: [
    [signed, other],
    [integers("i32", -9, 9), integers("i32", -9, 9)],
    [wideUnsigned, wideUnsigned],
  ],
  equal: [
    [few, few],
    [signed, other],
    [integers("i32", -1, 1), integers("i32", -1, 1)],
    [integers("u32", 0, 1), integers("u32", 0, 1)],
    [flags, flags],
  ],
  less: [
    [few, few],
    [signed, other],
    [integers("i32", -1, 1), integers("i32", -1, 1)],
    [integers("u32", 0, 1), integers("u32", 0, 1)],
  ],
  lessEqual: [
    [few, few],
    [signed, other],
    [integers("i32", -1, 1), integers("i32", -1, 1)],
    [wideUnsigned, wideUnsigned],
  ],
  and: [[flags, flags]],
  or: [[flags, flags]],
  where: [
    [flags, signed, other],
    [flags, integers("i32", -9, 9), integers("i32", -9, 9)],
    [flags, flags, flags],
  ],
  randomBits: [[0, 1, 2, 3].map(() => integers("u32", 0, 2 ** 32 - 2))],
  castF32: [[signed], [integers("i32", -9, 9)], [integers("u32", 0, 9)], [flags]],
  castF16: [[rounded], [overflowing], [tiny]],
  castI32: [[signed], [integers("u32", 0, 9)], [flags]],
  castU32: [[floats(0, 5)], [integers("i32", 0, 9)], [flags]],
};

/** A case of an elementwise op on tensors of `shape`. */
export function elementwiseCase(name: ElementwiseName, shape: readonly number[], seed: number): OpCase {
  const variants = elementwiseDraws[name];
  const draws = variants[seed % variants.length];
  const apply = applyOp(elementwiseOps[name], undefined);
  return {
    smooth: !draws.some(({ ties }) => ties),
    inputs: draws.map((draw, i) => caseInput(shape, draw, seed + 7919 * i)),
    // halves stay inside a step
    ...(name === "castF16" ? { halves: true, apply: (inputs) => apply(inputs).cast("f32") } : { apply }),
  };
}

export const elementwiseNames = Object.keys(elementwiseRows) as ElementwiseName[];
export const elementwiseCases = (name: ElementwiseName): fc.Arbitrary<OpCase> =>
  fc.tuple(shapes, seeds).map(([shape, seed]) => elementwiseCase(name, shape, seed));

// -- reductions and movements ------------------------------------------------------------------------------------------

/** A unary case of any shape, with a choice per axis. */
function perAxis<T>(choice: fc.Arbitrary<T>, draws: readonly Draw[], apply: (x: Tensor, choices: T[]) => Tensor) {
  return fc
    .tuple(
      shapes.chain((shape) => fc.tuple(fc.constant(shape), fc.tuple(...shape.map(() => choice)))),
      seeds,
    )
    .map(
      ([[shape, choices], seed]): OpCase => ({
        inputs: [caseInput(shape, draws[seed % draws.length], seed)],
        apply: ([x]) => apply(x, choices),
      }),
    );
}

const chosen = (choices: readonly boolean[]): number[] => choices.flatMap((yes, axis) => (yes ? [axis] : []));

export const reductionCases: { readonly [Name in ReductionName]: fc.Arbitrary<OpCase> } = {
  sum: perAxis(fc.boolean(), [signed, integers("i32", -9, 9)], (x, axes) => x.sum(chosen(axes))),
  max: perAxis(fc.boolean(), [distinct, integers("i32", -9, 9)], (x, axes) => x.max(chosen(axes))),
  min: perAxis(fc.boolean(), [distinct, integers("u32", 0, 9)], (x, axes) => x.min(chosen(axes))),
};

/** The sizes of `shape` in another split: all prime factors regrouped. */
export function regroup(shape: readonly number[], seed: number): number[] {
  const factors = shape.flatMap((size) => {
    const primes: number[] = [];
    let rest = size;
    for (let p = 2; rest > 1; p++) for (; rest % p === 0; rest /= p) primes.push(p);
    return size === 0 ? [0] : primes;
  });
  const groups: number[] = [];
  factors.forEach((factor, i) => {
    if (groups.length > 0 && mix(seed, i) % 2 === 0) groups[groups.length - 1] *= factor;
    else groups.push(factor);
    if (mix(seed, i) % 7 === 0) groups.push(1);
  });
  return groups;
}

/** Sorts axes by a random number each. */
function shuffledAxes(keys: readonly number[]): number[] {
  return keys.map((_, axis) => axis).sort((a, b) => keys[a] - keys[b] || a - b);
}

const small = fc.integer({ min: 0, max: 2 });

export const movementCases: Readonly<Record<"reshape" | "transpose" | "broadcast" | "slice", fc.Arbitrary<OpCase>>> = {
  reshape: fc.tuple(shapes, seeds).map(([shape, seed]) => ({
    inputs: [caseInput(shape, signed, seed)],
    apply: ([x]) => x.reshape(regroup(shape, seed)),
  })),
  transpose: perAxis(fc.nat(), [signed], (x, keys) => x.transpose(shuffledAxes(keys))),
  broadcast: fc.tuple(shapes, fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }), seeds).map(
    ([shape, repeat, seed]): OpCase => ({
      inputs: [
        caseInput(
          shape.slice(repeat[4] ? 1 : 0).map((size, axis) => (repeat[axis] ? 1 : size)),
          signed,
          seed,
        ),
      ],
      apply: ([x]) => x.broadcast(shape),
    }),
  ),
  slice: perAxis(fc.tuple(fc.nat(), fc.nat()), [signed], (x, picks) => {
    const start = picks.map(([a], axis) => a % (x.shape[axis] + 1));
    return x.slice(
      start,
      picks.map(([, b], axis) => start[axis] + (b % (x.shape[axis] - start[axis] + 1))),
    );
  }),
};

// -- cores -------------------------------------------------------------------------------------------------------------

const size = fc.integer({ min: 1, max: 4 });
const sizeOrEmpty = fc.oneof(
  { weight: 9, arbitrary: fc.integer({ min: 1, max: 5 }) },
  { weight: 1, arbitrary: fc.constant(0) },
);
const pair = (arbitrary: fc.Arbitrary<number>) => fc.tuple(arbitrary, arbitrary);

/** Windows over images: sizes, strides and paddings that fit each other. */
const windows = fc
  .record({
    N: fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 1, max: 3 }) }, { weight: 1, arbitrary: fc.constant(0) }),
    C: size,
    O: size,
    inputSize: pair(fc.integer({ min: 1, max: 7 })),
    kernel: pair(fc.integer({ min: 1, max: 3 })),
    stride: pair(fc.integer({ min: 1, max: 3 })),
    pad: pair(fc.integer({ min: 0, max: 2 })),
    seed: seeds,
  })
  .map(({ kernel, pad, inputSize, ...rest }) => {
    const kernelSize: [number, number] = [Math.min(kernel[0], inputSize[0]), Math.min(kernel[1], inputSize[1])];
    return { ...rest, inputSize, kernelSize, padding: pad };
  });
type Window = typeof windows extends fc.Arbitrary<infer W> ? W : never;

const convAttrs = ({ stride, padding }: Window): ConvAttrs => ({ stride, padding });
const poolAttrs = ({ stride, padding, kernelSize }: Window): PoolAttrs => ({
  kernelSize,
  stride,
  padding: [Math.min(padding[0], Math.floor(kernelSize[0] / 2)), Math.min(padding[1], Math.floor(kernelSize[1] / 2))],
});
const float = (shape: readonly number[]): TensorType => ({ shape, dtype: "f32" });

/** Random shapes of a convolution: its input, weight and output. */
function convShapes(window: Window) {
  const { N, C, O, inputSize, kernelSize } = window;
  const x = [N, C, ...inputSize];
  const weight = [O, C, ...kernelSize];
  const { shape: output } = coreOps.conv2d.infer([float(x), float(weight)], convAttrs(window));
  return { x, weight, output };
}

/** A real index of each window's maximum, as the pooling ops take it. */
function poolIndex(window: Window): CaseInput {
  const x = caseInput([window.N, window.C, ...window.inputSize], distinct, window.seed + 1);
  const attrs = poolAttrs(window);
  const { shape, dtype } = coreOps.maxPool2dIndex.infer([x], attrs);
  const values = new Float64Array(elementCount(shape));
  coreOps.maxPool2dIndex.reference([x.values], [x], attrs, values);
  return { shape, dtype, values };
}

export const coreCases: { readonly [Name in CoreName]: fc.Arbitrary<OpCase> } = {
  matmul: fc
    .record({
      sizes: fc.tuple(sizeOrEmpty, sizeOrEmpty, sizeOrEmpty),
      batch: fc.option(sizeOrEmpty),
      transposeA: fc.boolean(),
      transposeB: fc.boolean(),
      seed: seeds,
    })
    .map(({ sizes: [M, N, K], batch, seed, ...attrs }) => {
      const lead = batch === null ? [] : [batch];
      return {
        inputs: [
          caseInput([...lead, ...(attrs.transposeA ? [K, M] : [M, K])], signed, seed),
          caseInput([...lead, ...(attrs.transposeB ? [N, K] : [K, N])], other, seed + 1),
        ],
        apply: ([a, b]) => a.matmul(b, attrs),
      };
    }),
  conv2d: windows.map((window) => {
    const { x, weight } = convShapes(window);
    return {
      inputs: [caseInput(x, signed, window.seed), caseInput(weight, other, window.seed + 1)],
      apply: ([x, weight]) => x.conv2d(weight, convAttrs(window)),
    };
  }),
  conv2dInputGrad: windows.map((window) => {
    const { weight, output } = convShapes(window);
    return {
      inputs: [caseInput(output, signed, window.seed), caseInput(weight, other, window.seed + 1)],
      apply: ([grad, weight]) => grad.conv2dInputGrad(weight, { ...convAttrs(window), inputSize: window.inputSize }),
    };
  }),
  conv2dWeightGrad: windows.map((window) => {
    const { x, output } = convShapes(window);
    return {
      inputs: [caseInput(x, signed, window.seed), caseInput(output, other, window.seed + 1)],
      apply: ([x, grad]) => x.conv2dWeightGrad(grad, { ...convAttrs(window), kernelSize: window.kernelSize }),
    };
  }),
  maxPool2dIndex: windows.map((window) => ({
    smooth: window.seed % 2 === 1,
    inputs: [caseInput([window.N, window.C, ...window.inputSize], window.seed % 2 ? distinct : few, window.seed)],
    apply: applyOp(coreOps.maxPool2dIndex, poolAttrs(window)),
  })),
  poolGather: windows.map((window) => ({
    inputs: [caseInput([window.N, window.C, ...window.inputSize], signed, window.seed), poolIndex(window)],
    apply: ([x, index]) => x.poolGather(index, poolAttrs(window)),
  })),
  poolScatter: windows.map((window) => {
    const index = poolIndex(window);
    return {
      inputs: [caseInput(index.shape, signed, window.seed), index],
      apply: ([values, index]) => values.poolScatter(index, { ...poolAttrs(window), inputSize: window.inputSize }),
    };
  }),
  pad: perAxis(fc.tuple(small, small), [signed, integers("i32", -9, 9)], (x, counts) =>
    x.pad(
      counts.map(([before]) => before),
      counts.map(([, after]) => after),
    ),
  ),
};

/** Ops that read halves as they are. */
const halfReaders = { ...movementCases, ...coreCases } as Record<string, fc.Arbitrary<OpCase>>;
for (const name of ["pad", "poolScatter"]) delete halfReaders[name];

/** Every op's cases by name. */
export const allCases: ReadonlyMap<string, fc.Arbitrary<OpCase>> = new Map([
  ...elementwiseNames.map((name) => [name, elementwiseCases(name)] as const),
  ...Object.entries(reductionCases),
  ...Object.entries(movementCases),
  ...Object.entries(coreCases),
  ...Object.entries(halfReaders).map(([name, cases]) => [`${name} of halves`, withHalves(cases)] as const),
]);

/** Uses of ops on more elements than one dispatch dimension of 65,535 workgroups reaches with 64 threads each. */
export function largeCases(): ReadonlyMap<string, OpCase> {
  const many = 65_536 * 64 + 3;
  const rows = 70_001;
  const tall = caseInput([rows, 3], signed, 1);
  return new Map<string, OpCase>([
    [
      "elementwise",
      { inputs: [caseInput([many], signed, 1), caseInput([many], other, 2)], apply: ([a, b]) => a.add(b) },
    ],
    ["transposed", { inputs: [tall], apply: ([x]) => x.transpose().add(1) }],
    ["reduction of many rows", { inputs: [tall], apply: ([x]) => x.sum(1) }],
    ["reduction of long rows", { inputs: [tall], apply: ([x]) => x.max(0) }],
    ["reduction of everything", { inputs: [caseInput([many], integers("i32", -9, 9), 1)], apply: ([x]) => x.sum() }],
    ["matmul with many rows", { inputs: [tall, caseInput([3, 2], other, 2)], apply: ([a, b]) => a.matmul(b) }],
    [
      "matmul with a long inner axis",
      { inputs: [tall, caseInput([rows, 2], other, 2)], apply: ([a, b]) => a.matmul(b, { transposeA: true }) },
    ],
    ["pad", { inputs: [tall], apply: ([x]) => x.pad([1, 0], [0, 2]) }],
  ]);
}
