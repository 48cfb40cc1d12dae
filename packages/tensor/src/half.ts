/** Half-precision floats (IEEE 754 binary16), as files hold them: 1 sign, 5 exponent and 10 fraction bits. */

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
