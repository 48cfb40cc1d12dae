/**
 * Quotient and remainder of element indices. Integer division is scalar code on CPU adapters and some twenty
 * instructions on GPUs, so where the quotient is small it is guessed with a float32 reciprocal and corrected by one.
 */
import type { ShaderBuilder } from "./builder.ts";

/**
 * The guess is off by at most quotient * 3 * 2^-24 (two roundings and the reciprocal's own) before it is truncated;
 * up to this quotient that is below one half, so one step of correction each way is enough.
 */
const LARGEST_GUESSED_QUOTIENT = 2 ** 21;

const FUNCTION = `
struct Division { quotient: u32, remainder: u32 }
fn divide(value: u32, divisor: u32, reciprocal: f32) -> Division {
  var quotient = u32(f32(value) * reciprocal);
  var remainder = i32(value - quotient * divisor);
  if (remainder < 0) { quotient -= 1u; remainder += i32(divisor); }
  if (remainder >= i32(divisor)) { quotient += 1u; remainder -= i32(divisor); }
  return Division(quotient, u32(remainder));
}`.trim();

/**
 * Divides `value` (a u32 name below `bound`) by `size`.
 *
 * @param key names the parameter that holds `size`: unique per divisor within the shader
 * @returns names of quotient and remainder
 */
export function divide(
  shader: ShaderBuilder,
  value: string,
  key: string,
  size: number,
  bound: number,
): { quotient: string; remainder: string } {
  const divisor = shader.param(key, "u32", size);
  if (bound / size > LARGEST_GUESSED_QUOTIENT || size >= 2 ** 31) {
    const quotient = shader.let("quotient", `${value} / ${divisor}`);
    return { quotient, remainder: shader.let("remainder", `${value} - ${quotient} * ${divisor}`) };
  }
  shader.declare("divide", FUNCTION);
  const pair = shader.let(
    "division",
    `divide(${value}, ${divisor}, ${shader.param(`${key}Reciprocal`, "f32", 1 / size)})`,
  );
  return { quotient: `${pair}.quotient`, remainder: `${pair}.remainder` };
}
