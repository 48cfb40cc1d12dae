/**
 * Matmul with tiles in workgroup memory, for GPUs: 16 x 16 threads, each with 8 x 8 (or 4 x 4) sums in registers.
 * Half of the threads load a slice of A, half a slice of B, in blocks of 4 x 4, and leave both with k outermost, so
 * that every read from workgroup memory is a vec4 along M or N.
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

/** Threads along each side of a workgroup; 256 is the most every device offers. */
const SIDE = 16;
/** Elements of workgroup memory of each factor: together 16 KiB, which every device offers. */
const SLICE = 2048;
/** Fewer large tiles than this leave multiprocessors of a large GPU idle: then small ones are faster. */
const ENOUGH_TILES = 128;

const LANES = ["x", "y", "z", "w"];

export function tiledDispatch(
  pass: MatmulPass,
  overwrites: readonly (number | undefined)[],
  traits: DeviceTraits,
): Dispatch {
  const [M, N, K] = [pass.m, pass.n, pass.k].map(lengthOf);
  const largeTiles = Math.ceil(M / (8 * SIDE)) * Math.ceil(N / (8 * SIDE)) * lengthOf(pass.batch);
  const own = largeTiles >= ENOUGH_TILES ? 8 : 4;
  const tile = SIDE * own;
  const depth = SLICE / tile;
  const shader = new ShaderBuilder(pass.kernel, overwrites, traits);
  for (const { reference, start, end } of pass.windows) shader.window(reference, start, end);
  planEpilogue(shader, pass);
  const batch = pass.sizes.batch > 1 ? "group.z" : "0u";
  const rowTile = shader.let("rowTile", `group.y * ${tile}u`);
  const columnTile = shader.let("columnTile", `group.x * ${tile}u`);
  const mirrored = isMirrored(pass);
  if (mirrored) emitSkip(shader, rowTile, columnTile, tile);
  const [a, b] = [bindOperand(shader, pass, 0, batch), bindOperand(shader, pass, 1, batch)];
  for (const name of ["aSlice", "bSlice"])
    shader.declare(name, `var<workgroup> ${name}: array<vec4<f32>, ${SLICE / 4}>;`);
  const x = shader.let("x", `lane % ${SIDE}u`);
  const y = shader.let("y", `lane / ${SIDE}u`);
  const halves = own / 4;
  const sums = Array.from({ length: own * halves }, () => shader.var("sum", "vec4<f32>()"));

  const kCount = shader.param("kCount", "u32", K);
  const k = shader.name("k");
  shader.block(`for (var ${k} = 0u; ${k} < ${kCount}; ${k} += ${depth}u)`, () => {
    const ragged = K % 4 !== 0;
    shader.block("if (lane < 128u)", () =>
      emitSlice(shader, {
        operand: a,
        slice: "aSlice",
        block: "lane",
        origin: rowTile,
        tile,
        depth,
        k,
        kCount,
        ragged,
      }),
    );
    shader.block("else", () =>
      emitSlice(shader, {
        operand: b,
        slice: "bSlice",
        block: shader.let("block", "lane - 128u"),
        origin: columnTile,
        tile,
        depth,
        k,
        kCount,
        ragged,
      }),
    );
    shader.line("workgroupBarrier();");
    const q = shader.name("q");
    shader.block(`for (var ${q} = 0u; ${q} < ${depth}u; ${q}++)`, () => {
      const read = (slice: string, at: string, half: number) =>
        shader.let(slice[0], `${slice}[${q} * ${tile / 4}u + ${at}${half > 0 ? ` + ${SIDE}u` : ""}]`);
      const aValues = Array.from({ length: halves }, (_, half) => read("aSlice", y, half));
      const bValues = Array.from({ length: halves }, (_, half) => read("bSlice", x, half));
      for (let i = 0; i < own; i++) {
        for (const [half, value] of bValues.entries()) {
          shader.line(`${sums[i * halves + half]} += ${aValues[i >> 2]}.${LANES[i % 4]} * ${value};`);
        }
      }
    });
    shader.line("workgroupBarrier();");
  });

  // four neighbouring rows at a time: a half of M by a half of N
  for (let top = 0; top < halves; top++) {
    for (let left = 0; left < halves; left++) {
      const row = shader.let("row", `${rowTile} + ${y} * 4u + ${top * SIDE * 4}u`);
      const column = shader.let("column", `${columnTile} + ${x} * 4u + ${left * SIDE * 4}u`);
      emitTile(shader, pass, {
        batch,
        row,
        column,
        rows: [0, 1, 2, 3].map((i) => sums[(top * 4 + i) * halves + left]),
        ...(mirrored && { mirror: [tile, tile] }),
      });
    }
  }
  return shader.build(SIDE * SIDE, [Math.ceil(N / tile), Math.ceil(M / tile), lengthOf(pass.batch)]);
}

interface SliceOptions {
  readonly operand: Operand;
  readonly slice: string;
  /** Number of this thread's 4 x 4 block, below 128. */
  readonly block: string;
  /** First row of A or column of B of the tile. */
  readonly origin: string;
  readonly tile: number;
  readonly depth: number;
  readonly k: string;
  readonly kCount: string;
  readonly ragged: boolean;
}

/** Loads a block of 4 k by 4 rows of A (or columns of B) and leaves it in workgroup memory, k outermost. */
function emitSlice(
  shader: ShaderBuilder,
  { operand, slice, block, origin, tile, depth, k, kCount, ragged }: SliceOptions,
): void {
  const { alongK, start, pitch } = operand;
  const [perK, perSide] = [depth / 4, tile / 4];
  // neighbouring threads read neighbouring memory
  const kBlock = shader.let("kBlock", alongK ? `${block} % ${perK}u` : `${block} / ${perSide}u`);
  const side = shader.let("side", alongK ? `${block} / ${perK}u` : `${block} % ${perSide}u`);
  const kFirst = shader.let("kFirst", `${k} + ${kBlock} * 4u`);
  const sideFirst = shader.let("sideFirst", `${origin} + ${side} * 4u`);
  // beyond the last k both factors are 0: a neighbour's NaN must not get in
  const inside = [0, 1, 2, 3].map((q) =>
    q === 0 || ragged ? shader.let("inside", `${kFirst}${q === 0 ? "" : ` + ${q}u`} < ${kCount}`) : "",
  );
  const mask = (q: number) => (alongK && ragged ? `vec4<bool>(${inside.join(", ")})` : ragged ? inside[q] : inside[0]);
  const loaded = [0, 1, 2, 3].map((i) => {
    const at = alongK
      ? `${start} + (${sideFirst} + ${i}u) * ${pitch} + ${kFirst}`
      : `${start} + (${kFirst} + ${i}u) * ${pitch} + ${sideFirst}`;
    return shader.let("v", `select(vec4<f32>(), ${loadFour(operand, shader.let("at", at))}, ${mask(i)})`);
  });
  const rows = alongK
    ? LANES.map((lane) => `vec4<f32>(${loaded.map((value) => `${value}.${lane}`).join(", ")})`)
    : loaded;
  rows.forEach((value, q) => {
    shader.line(`${slice}[(${kBlock} * 4u + ${q}u) * ${perSide}u + ${side}] = ${value};`);
  });
}
