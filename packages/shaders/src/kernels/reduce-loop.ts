/**
 * The loop of a reduction: one member of a team walks its share of the reduced space and accumulates. Long sums of
 * floats run in chains of short ones, so that rounding errors do not grow with their length.
 */
import { type BodySpace, emitExpressions } from "./body.ts";
import type { Mark, ShaderBuilder } from "./builder.ts";
import { linearPlace, type Place } from "./place.ts";
import { accumulatorType, combineText, initialText, type Reduction } from "./reduce-combine.ts";
import { wgslType } from "./wgsl.ts";

/**
 * Float terms an accumulator adds up before it is itself a term of the next one. A sum of n equal terms is off by up
 * to n / 2 roundings; in runs of runs each stage adds at most this many, and two more loops cost nothing measurable.
 */
const RUN = 64;

export interface ReduceLoop {
  /** Stem of parameter names, unique per loop within the shader. */
  readonly key: string;
  /** What is accumulated: the values of expressions of `space`. */
  readonly terms: readonly (Reduction & { readonly expression: number })[];
  /** Over the domain, whose place is `place`, and the reduced dimensions, which the loop walks. */
  readonly space: BodySpace;
  readonly reduced: readonly number[];
  readonly place: Place;
  /** Before the loop. */
  readonly mark: Mark;
  /** First element of the reduced space, and the end of it. */
  readonly start: string;
  readonly end: string;
  /** Elements from one turn to the next, and at most this many turns. */
  readonly stride: number;
  readonly turns: number;
  /** Values of `core` expressions, known before the loop. */
  readonly results?: readonly string[];
  /** Prints more work of a turn, on the values of all expressions. */
  visit?(values: readonly string[], place: Place): void;
}

/** Prints the loop and returns the names of its accumulators. */
export function emitReduceLoop(shader: ShaderBuilder, loop: ReduceLoop): string[] {
  const { key, terms, space, reduced, place, mark, start, end, stride, turns, results } = loop;
  const { width } = space;
  const isFloatSum = (reduction: Reduction) => reduction.op === "sum" && accumulatorType(reduction) === "f32";
  const declare = (reduction: Reduction) => shader.var("sum", initialText(shader, reduction, width));
  const accumulators = terms.map(declare);
  const chains = terms.some(isFloatSum) && turns > RUN ? (turns > RUN * RUN ? 2 : 1) : 0;
  const emit = (chain: number, into: readonly string[], from: string, to: string): void => {
    const r = shader.name("r");
    shader.block(`for (var ${r} = ${from}; ${r} < ${to}; ${r} += ${stride * RUN ** chain}u)`, () => {
      if (chain === 0) {
        const inner = linearPlace(shader, reduced, r, "reduced");
        const values = emitExpressions(shader, key, space, { place: inner, outer: { place, mark } }, results);
        terms.forEach((term, i) => {
          const type = wgslType(accumulatorType(term), width);
          const value = term.dtype === "bool" ? `${type}(${values[term.expression]})` : values[term.expression];
          const operand = term.op === "sum" ? value : shader.let("operand", value);
          shader.line(`${into[i]} = ${combineText(shader, term, into[i], operand, width)};`);
        });
        loop.visit?.(values, inner);
        return;
      }
      const parts = into.map((name, i) => (isFloatSum(terms[i]) ? declare(terms[i]) : name));
      emit(chain - 1, parts, r, shader.let("runEnd", `min(${to}, ${r} + ${stride * RUN ** chain}u)`));
      into.forEach((name, i) => {
        if (parts[i] !== name) shader.line(`${name} += ${parts[i]};`);
      });
    });
  };
  emit(chains, accumulators, start, end);
  return accumulators;
}
