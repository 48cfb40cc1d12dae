/**
 * Matmul with the tile in registers and no workgroup memory. A team of lanes computes `rows` rows of four columns a
 * lane: each turn of the k loop takes four k, every lane loads its own four columns of B and its share of the rows of
 * A, and the rows reach the other lanes by shuffle. On software Vulkan, where a load costs ten times a shuffle, this
 * is several times faster than tiles in workgroup memory. Teams:
 * - `subgroup`: the lanes of a subgroup of any exact size;
 * - `direct`: one lane that loads all rows itself; needs nothing.
 *
 * Rows are the outer loop and k the inner, so that only the vectors of B stay live. Every sum runs over k in
 * the same order whatever the tile, so the tile does not change results.
 */
import { ShaderBuilder } from "./builder.ts";
import type { DeviceTraits, Dispatch } from "./dispatch.ts";
import {
  bindOperand,
  emitSkip,
  emitTile,
  isMirrored,
  lengthOf,
  loadFour,
  type MatmulPass,
  type Operand,
  planEpilogue,
} from "./matmul-pass.ts";

export interface RegisterTile {
  /** Lanes that share rows by shuffle: the subgroup size, or 1. */
  readonly team: number;
  /** Rows of a tile. */
  readonly rows: number;
  /** Teams in a workgroup, side by side along N. */
  readonly teams: number;
}

const LANES = ["x", "y", "z", "w"];

export function registerDispatch(
  pass: MatmulPass,
  { team, rows, teams }: RegisterTile,
  overwrites: readonly (number | undefined)[],
  traits: DeviceTraits,
): Dispatch {
  const shader = new ShaderBuilder(pass.kernel, overwrites, traits);
  for (const { reference, start, end } of pass.windows) shader.window(reference, start, end);
  planEpilogue(shader, pass);
  const member = team === 1 ? "0u" : shader.useSubgroups();
  const batch = pass.sizes.batch > 1 ? "group.z" : "0u";
  const row = shader.let("row", `group.y * ${rows}u`);
  const columnTeam = teams === 1 ? "group.x" : `(group.x * ${teams}u + lane / ${team}u)`;
  const column = shader.let(
    "column",
    team === 1 ? `${columnTeam} * 4u` : `(${columnTeam} * ${team}u + ${member}) * 4u`,
  );
  const columns = 4 * team;
  const mirrored = isMirrored(pass);
  if (mirrored) emitSkip(shader, row, `${columnTeam} * ${columns}u`, columns);
  const [a, b] = [bindOperand(shader, pass, 0, batch), bindOperand(shader, pass, 1, batch)];
  const sums = Array.from({ length: rows }, () => shader.var("sum", "vec4<f32>()"));
  emitLoop(shader, { pass, a, b, row, column, member, team, sums });
  emitTile(shader, pass, { batch, row, column, rows: sums, ...(mirrored && { mirror: [rows, columns] }) });
  const workgroups = [
    Math.ceil(lengthOf(pass.n) / (columns * teams)),
    Math.ceil(lengthOf(pass.m) / rows),
    lengthOf(pass.batch),
  ] as const;
  return shader.build(team * teams, workgroups);
}

interface LoopOptions {
  readonly pass: MatmulPass;
  readonly a: Operand;
  readonly b: Operand;
  readonly row: string;
  readonly column: string;
  readonly member: string;
  readonly team: number;
  readonly sums: readonly string[];
}

function emitLoop(shader: ShaderBuilder, { pass, a, b, row, column, member, team, sums }: LoopOptions): void {
  const depth = lengthOf(pass.k);
  const kCount = shader.param("kCount", "u32", depth);
  const ragged = depth % 4 !== 0;
  const rowsPerLoad = a.alongK ? team : 4 * team;
  const loads = Math.ceil(sums.length / rowsPerLoad);
  // where each lane's rows of A begin: row `member + t * team`, or four rows from `4 * member + t * 4 * team` on
  const lanePart = (text: string, t: number, step: number) =>
    [
      text,
      ...(team > 1 ? [step === 4 ? `${member} * 4u` : member] : []),
      ...(t > 0 ? [`${t * step * team}u`] : []),
    ].join(" + ");
  const aStarts = Array.from({ length: loads }, (_, t) =>
    a.alongK
      ? shader.let("aRow", `${a.start} + (${lanePart(row, t, 1)}) * ${a.pitch}`)
      : shader.let("aColumn", `${a.start} + ${lanePart(row, t, 4)}`),
  );
  const bStarts = b.alongK
    ? [0, 1, 2, 3].map((c) =>
        shader.let("bColumn", `${b.start} + (${column}${c === 0 ? "" : ` + ${c}u`}) * ${b.pitch}`),
      )
    : [shader.let("bRow", `${b.start} + ${column}`)];
  const k = shader.name("k");
  shader.block(`for (var ${k} = 0u; ${k} < ${kCount}; ${k} += 4u)`, () => {
    const at = (q: number) => (q === 0 ? k : `${k} + ${q}u`);
    // beyond the last k both factors are 0: a neighbour's NaN must not get in
    const inside = ragged ? [0, 1, 2, 3].map((q) => shader.let("inside", `${at(q)} < ${kCount}`)) : [];
    const mask = ragged ? shader.let("mask", `vec4<bool>(${inside.join(", ")})`) : "";
    const vector = (operand: Operand, text: string, q: number | undefined) => {
      const loaded = loadFour(operand, shader.let("at", text));
      if (!ragged) return loaded;
      return `select(vec4<f32>(), ${loaded}, ${q === undefined ? mask : inside[q]})`;
    };
    // a[q][t]: rows of load t at k + q (alongK: one vector holds all four q)
    const aValues = a.alongK
      ? aStarts.map((start) => shader.let("a", vector(a, `${start} + ${k}`, undefined)))
      : [0, 1, 2, 3].flatMap((q) =>
          aStarts.map((start) => shader.let("a", vector(a, `${start} + (${at(q)}) * ${a.pitch}`, q))),
        );
    const bValues = b.alongK
      ? transposed(
          shader,
          bStarts.map((start) => shader.let("b", vector(b, `${start} + ${k}`, undefined))),
        )
      : [0, 1, 2, 3].map((q) => shader.let("b", vector(b, `${bStarts[0]} + (${at(q)}) * ${b.pitch}`, q)));
    sums.forEach((sum, i) => {
      const load = Math.floor(i / rowsPerLoad);
      const lane = Math.floor((i % rowsPerLoad) / (a.alongK ? 1 : 4));
      const terms = LANES.map((component, q) => {
        const value = a.alongK ? `${aValues[load]}.${component}` : `${aValues[q * loads + load]}.${LANES[i % 4]}`;
        return `${team === 1 ? value : `subgroupShuffle(${value}, ${lane}u)`} * ${bValues[q]}`;
      });
      shader.line(`${sum} += ${terms.join(" + ")};`);
    });
  });
}

/** Four vectors along k, one per column, as four vectors along columns, one per k. */
function transposed(shader: ShaderBuilder, columns: readonly string[]): string[] {
  return LANES.map((lane) => shader.let("b", `vec4<f32>(${columns.map((column) => `${column}.${lane}`).join(", ")})`));
}
