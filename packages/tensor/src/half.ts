/** Half-precision floats (IEEE 754 binary16), as files and f16 tensors hold them: 1 sign, 5 exponent, 10 fraction bits. */

/** Bits of the fraction, and what the exponent field is above the exponent. */
const [FRACTION_BITS, BIAS] = [10, 15];
/** The exponent field of infinities and NaN. */
const SPECIAL = 31;

/** The value of the half whose bits are `bits`; float32 holds every one exactly. */
export function floatFromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> FRACTION_BITS) & SPECIAL;
  const fraction = (bits & (2 ** FRACTION_BITS - 1)) / 2 ** FRACTION_BITS;
  if (exponent === SPECIAL) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  // without exponent the leading 1 is missing too
  return sign * (exponent === 0 ? fraction * 2 ** (1 - BIAS) : (1 + fraction) * 2 ** (exponent - BIAS));
}

/** Exponents of the smallest normal half, and of the smallest value too large for any. */
const [SMALLEST_EXPONENT, END_EXPONENT] = [-14, 16];

const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);

/** The half nearest to `value`, ties to even; beyond 65504 and its rounding, infinity. */
export function roundToHalf(value: number): number {
  double[0] = value;
  const exponent = ((words[1] >>> 20) & 0x7ff) - 1023;
  if (exponent >= END_EXPONENT) return Number.isNaN(value) ? value : value > 0 ? Infinity : -Infinity;
  // adding and taking away 1.5 * 2^52 units leaves whole units, rounded as float64 rounds
  const unit = 2 ** (Math.max(exponent, SMALLEST_EXPONENT) - FRACTION_BITS);
  const shift = 1.5 * 2 ** 52 * unit;
  const rounded = value + shift - shift;
  if (Math.abs(rounded) >= 2 ** END_EXPONENT) return rounded > 0 ? Infinity : -Infinity;
  return rounded === 0 ? value * 0 : rounded;
}

/** The bits of the half nearest to `value`. */
export function halfFromFloat(value: number): number {
  const half = roundToHalf(value);
  if (Number.isNaN(half)) return 0x7e00;
  const sign = half < 0 || Object.is(half, -0) ? 0x8000 : 0;
  const size = Math.abs(half);
  if (size === Infinity) return sign | (SPECIAL << FRACTION_BITS);
  if (size < 2 ** SMALLEST_EXPONENT) return sign | (size * 2 ** (FRACTION_BITS - SMALLEST_EXPONENT));
  double[0] = size;
  const exponent = ((words[1] >>> 20) & 0x7ff) - 1023;
  const fraction = (size / 2 ** exponent - 1) * 2 ** FRACTION_BITS;
  return sign | ((exponent + BIAS) << FRACTION_BITS) | fraction;
}
