/**
 * Functions that WGSL lacks or computes badly. Measured on lavapipe: log is off by 6e-6 absolute, tanh has no relative
 * accuracy near 0, pow(0.999, t) is off by 6e-4, and comparisons such as x != x are folded to false; on SwiftShader:
 * exp(NaN) is infinity, log(0) is -88, sin is off by 5e-5. Those here are good to about 1e-6 relative on every device,
 * use no fused multiply-add, and keep NaN and infinities. Drivers may drop a conversion to f16 and back, and choose how it
 * rounds. The minimax polynomials are those of Cephes (single precision).
 *
 * Each is text for one width; `T` below stands for `f32` or `vec4<f32>`.
 */
import type { ShaderBuilder } from "./builder.ts";
import { type Width, wgslType } from "./wgsl.ts";

/** Text of one function at one width, and the functions it calls. */
interface NumericsSource {
  readonly needs?: readonly NumericsName[];
  text(types: { T: string; U: string; I: string; B: string }, suffix: string): string;
}

export type NumericsName =
  | "isNaN"
  | "isFiniteBits"
  | "expAccurate"
  | "sinAccurate"
  | "cosAccurate"
  | "logAccurate"
  | "log1pAccurate"
  | "expm1Accurate"
  | "tanhAccurate"
  | "erfAccurate"
  | "powAccurate"
  | "roundHalf"
  | "threefry";

/** c0 + t * (c1 + t * (c2 + ...)) */
function polynomial(T: string, t: string, coefficients: readonly number[]): string {
  const literals = coefficients.map((c) => `${T}(${c})`);
  return literals.reduceRight((rest, c) => `${c} + ${t} * (${rest})`);
}

/** Maclaurin coefficients of (expm1(x) - x) / x^2 = 1/2! + x/3! + ...; at |x| = 0.5 the next term is 6e-9 of the sum. */
const EXPM1 = [1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720, 1 / 5040, 1 / 40320];

/** 2 / sqrt(pi) */
const ERF_SCALE = 1.1283791670955126;

/** Maclaurin coefficients of erf(x) * sqrt(pi)/2 / x in x^2: (-1)^n / (n! (2n + 1)); at x = 0.75 the next is 1.5e-8. */
const ERF = [1, -1 / 3, 1 / 10, -1 / 42, 1 / 216, -1 / 1320, 1 / 9360, -1 / 75600];

/** erfc(x) * exp(x^2) in t = 1 / (1 + 0.3275911 x), Abramowitz and Stegun 7.1.26; absolute error 1.5e-7. */
const ERFC = [0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429];

/** (tanh(x) - x) / x^3 in x^2 for |x| < 0.625: minimax, Cephes tanhf. */
const TANH = [-3.33332819422e-1, 1.33314422036e-1, -5.37397155531e-2, 2.06390887954e-2, -5.70498872745e-3];

/** (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2: minimax, Cephes expf. */
const EXP = [5.0000001201e-1, 1.6666665459e-1, 4.1665795894e-2, 8.3334519073e-3, 1.3981999507e-3, 1.98756915e-4];

/** (sin(r) - r) / r^3 and (cos(r) - 1 + r^2 / 2) / r^4 in r^2 for |r| <= pi / 4: minimax, Cephes sinf and cosf. */
const SIN = [-1.6666654611e-1, 8.3321608736e-3, -1.9515295891e-4];
const COS = [4.166664568298827e-2, -1.388731625493765e-3, 2.443315711809948e-5];

/** pi / 2 in three parts; the first two have so few bits that their products with 13-bit numbers are exact. */
const HALF_PI = [1.5703125, 4.837512969970703e-4, 7.549789954891882e-8];

/** 1/3 + z/5 + z^2/7 ...: atanh(s) = s + s z (...), z = s^2 <= 0.0295, where the next term is 2e-9 of the sum. */
const ATANH = [1 / 3, 1 / 5, 1 / 7, 1 / 9];

/** Rotations and key parity of Threefry-2x32 (see the tensor package's random.ts). */
const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24];
const PARITY = "0x1bd11bdau";

/**
 * sin(x + quarters * pi / 2): x is reduced to [-pi/4, pi/4] and a quadrant. Beyond 8192 the reduction loses bits and
 * the built-in function takes over; for infinities it gives NaN, as it should.
 */
function sine(name: string, builtin: string, quarters: 0 | 1): NumericsSource {
  return {
    text: ({ T, I }, suffix) => `
fn ${name}${suffix}(x: ${T}) -> ${T} {
  let turns = floor(x * ${T}(0.6366197723675814) + ${T}(0.5));
  let r = ((x - turns * ${T}(${HALF_PI[0]})) - turns * ${T}(${HALF_PI[1]})) - turns * ${T}(${HALF_PI[2]});
  let z = r * r;
  let sine = r + r * z * (${polynomial(T, "z", SIN)});
  let cosine = (${T}(1) - ${T}(0.5) * z) + z * z * (${polynomial(T, "z", COS)});
  let quadrant = ${I}(turns) + ${I}(${quarters});
  let value = select(sine, cosine, (quadrant & ${I}(1)) == ${I}(1));
  let signed = select(value, -value, (quadrant & ${I}(2)) == ${I}(2));
  return select(signed, ${builtin}(x), (abs(x) > ${T}(8192)) & (abs(x) < ${T}(3e38)));
}`,
  };
}

const sources: Readonly<Record<NumericsName, NumericsSource>> = {
  isNaN: {
    text: ({ T, U, B }, suffix) =>
      `fn isNaN${suffix}(x: ${T}) -> ${B} { return (bitcast<${U}>(x) & ${U}(0x7fffffffu)) > ${U}(0x7f800000u); }`,
  },
  isFiniteBits: {
    text: ({ T, U, B }, suffix) =>
      `fn isFiniteBits${suffix}(x: ${T}) -> ${B} { return (bitcast<${U}>(x) & ${U}(0x7f800000u)) != ${U}(0x7f800000u); }`,
  },
  // x = n ln 2 + r: exp(x) = 2^n exp(r). 2^n is made of two factors, so that neither over- nor underflows alone.
  // The bounds lie where the result is infinite or zero; NaN passes both selects.
  expAccurate: {
    text: ({ T, U, I }, suffix) => `
fn expAccurate${suffix}(value: ${T}) -> ${T} {
  let above = select(value, ${T}(89), value > ${T}(89));
  let x = select(above, ${T}(-104), above < ${T}(-104));
  let n = floor(x * ${T}(1.4426950408889634) + ${T}(0.5));
  let r = (x - n * ${T}(0.693359375)) - n * ${T}(-2.12194440e-4);
  let power = ${I}(n);
  let half = power >> ${U}(1u);
  let first = bitcast<${T}>((half + ${I}(127)) << ${U}(23u));
  let second = bitcast<${T}>((power - half + ${I}(127)) << ${U}(23u));
  return ((r + r * r * (${polynomial(T, "r", EXP)})) + ${T}(1)) * first * second;
}`,
  },
  sinAccurate: sine("sinAccurate", "sin", 0),
  cosAccurate: sine("cosAccurate", "cos", 1),
  // x = m * 2^e with m in [sqrt(1/2), sqrt(2)); log x = e ln 2 + 2 atanh((m - 1) / (m + 1)). ln 2 is split in two so
  // that e times its upper part is exact. Subnormals are scaled up first. Special results are made from the bits of x,
  // since WGSL has no literals of them: negatives give NaN, 0 gives -infinity.
  logAccurate: {
    text: ({ T, U, I }, suffix) => `
fn logAccurate${suffix}(x: ${T}) -> ${T} {
  let tiny = bitcast<${U}>(x) < ${U}(0x00800000u);
  let bits = bitcast<${I}>(select(x, x * ${T}(0x1p+25f), tiny));
  let shifted = bits - ${I}(0x3f3504f3);
  let exponent = ${T}(shifted >> ${U}(23u)) - select(${T}(0), ${T}(25), tiny);
  let m = bitcast<${T}>((shifted & ${I}(0x007fffff)) + ${I}(0x3f3504f3));
  let s = (m - ${T}(1)) / (m + ${T}(1));
  let z = s * s;
  let fraction = ${T}(2) * s + ${T}(2) * s * z * (${polynomial(T, "z", ATANH)});
  let value = exponent * ${T}(0.693359375) + (exponent * ${T}(-2.12194440e-4) + fraction);
  let pattern = bitcast<${U}>(x);
  // infinity and NaN stay themselves
  let special = select(bitcast<${T}>(pattern | ${U}(0x7fc00000u)), x, pattern == ${U}(0x7f800000u));
  let unusual = select(value, special, pattern >= ${U}(0x7f800000u));
  return select(unusual, bitcast<${T}>(pattern | ${U}(0xff800000u)), x == ${T}(0));
}`,
  },
  // near 0, 1 + x would drop the low bits of x: the series in x / (2 + x) does not
  log1pAccurate: {
    needs: ["logAccurate"],
    text: ({ T }, suffix) => `
fn log1pAccurate${suffix}(x: ${T}) -> ${T} {
  let s = x / (${T}(2) + x);
  let z = s * s;
  let near = ${T}(2) * s + ${T}(2) * s * z * (${polynomial(T, "z", ATANH)});
  return select(logAccurate${suffix}(${T}(1) + x), near, (x > ${T}(-0.29289)) & (x < ${T}(0.41421)));
}`,
  },
  expm1Accurate: {
    needs: ["expAccurate"],
    text: ({ T }, suffix) => `
fn expm1Accurate${suffix}(x: ${T}) -> ${T} {
  let near = x + x * x * (${polynomial(T, "x", EXPM1)});
  return select(expAccurate${suffix}(x) - ${T}(1), near, abs(x) < ${T}(0.5));
}`,
  },
  // tanh(x) = 1 - 2 / (exp(2x) + 1); beyond 9.1 it rounds to 1, and the bound keeps exp finite. NaN passes both selects.
  tanhAccurate: {
    needs: ["expAccurate"],
    text: ({ T }, suffix) => `
fn tanhAccurate${suffix}(x: ${T}) -> ${T} {
  let z = x * x;
  let near = x + x * z * (${polynomial(T, "z", TANH)});
  let size = select(abs(x), ${T}(10), abs(x) > ${T}(10));
  let far = ${T}(1) - ${T}(2) / (expAccurate${suffix}(${T}(2) * size) + ${T}(1));
  return select(select(far, -far, x < ${T}(0)), near, abs(x) < ${T}(0.625));
}`,
  },
  erfAccurate: {
    needs: ["expAccurate"],
    text: ({ T }, suffix) => `
fn erfAccurate${suffix}(x: ${T}) -> ${T} {
  let z = x * x;
  let near = x * ${T}(${ERF_SCALE}) * (${polynomial(T, "z", ERF)});
  let size = select(abs(x), ${T}(6), abs(x) > ${T}(6));
  let t = ${T}(1) / (${T}(1) + ${T}(0.3275911) * size);
  let far = ${T}(1) - t * (${polynomial(T, "t", ERFC)}) * expAccurate${suffix}(-size * size);
  return select(select(far, -far, x < ${T}(0)), near, abs(x) < ${T}(0.75));
}`,
  },
  // |a|^b = exp(b log|a|), error about 1e-7 * |b log a|. A negative base has the sign of an odd whole exponent and is
  // NaN (sqrt of a negative) for others; whole numbers beyond 2^24 are even. x^0 = 1 for every x.
  powAccurate: {
    needs: ["logAccurate", "expAccurate"],
    text: ({ T }, suffix) => `
fn powAccurate${suffix}(a: ${T}, b: ${T}) -> ${T} {
  let size = expAccurate${suffix}(b * logAccurate${suffix}(abs(a)));
  let odd = fract(b * ${T}(0.5)) == ${T}(0.5);
  let negative = select(select(sqrt(a), size, floor(b) == b), -size, odd);
  let value = select(size, negative, a < ${T}(0));
  return select(select(value, a, b == ${T}(1)), ${T}(1), b == ${T}(0));
}`,
  },
  // adds half a unit of the 10th fraction bit, less one where that bit is 0, and cuts the 13 bits below it; values without
  // exponent as a half are multiples of 2^-24
  roundHalf: {
    text: ({ T, U }, suffix) => `
fn roundHalf${suffix}(x: ${T}) -> ${T} {
  let bits = bitcast<${U}>(x) & ${U}(0x7fffffffu);
  let sign = bitcast<${U}>(x) & ${U}(0x80000000u);
  let cut = (bits + ${U}(0xfffu) + ((bits >> ${U}(13u)) & ${U}(1u))) & ${U}(0xffffe000u);
  let small = bitcast<${U}>(round(bitcast<${T}>(bits) * ${T}(0x1p24)) * ${T}(0x1p-24));
  let finite = select(cut, small, bits < ${U}(0x38800000u));
  let size = select(finite, ${U}(0x7f800000u), finite >= ${U}(0x47800000u));
  return bitcast<${T}>(select(size, bits, bits > ${U}(0x7f800000u)) | sign);
}`,
  },
  threefry: {
    text: ({ U }, suffix) => {
      const lines: string[] = [];
      for (let group = 1; group <= 5; group++) {
        for (let round = 0; round < 4; round++) {
          const distance = ROTATIONS[(group % 2 === 1 ? 0 : 4) + round];
          lines.push(`  x0 += x1; x1 = ((x1 << ${U}(${distance}u)) | (x1 >> ${U}(${32 - distance}u))) ^ x0;`);
        }
        lines.push(`  x0 += key${group % 3}; x1 += key${(group + 1) % 3} + ${U}(${group}u);`);
      }
      return `
fn threefry${suffix}(index: ${U}, counter: ${U}, key0: ${U}, key1: ${U}) -> ${U} {
  let key2 = ${U}(${PARITY}) ^ key0 ^ key1;
  var x0 = index + key0;
  var x1 = counter + key1;
${lines.join("\n")}
  return x0;
}`;
    },
  },
};

/** Declares a function (and those it calls) at the given width and returns its name. */
export function numericsFunction(shader: ShaderBuilder, name: NumericsName, width: Width): string {
  const suffix = width === 4 ? "4" : "";
  const { needs = [], text } = sources[name];
  for (const need of needs) numericsFunction(shader, need, width);
  const types = {
    T: wgslType("f32", width),
    U: wgslType("u32", width),
    I: wgslType("i32", width),
    B: wgslType("bool", width),
  };
  shader.declare(`${name}${suffix}`, text(types, suffix).trim());
  return `${name}${suffix}`;
}
