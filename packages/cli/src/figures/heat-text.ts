/** A heat map for terminals: coloured cells where there are colours, else characters from light to dark. */
import type { HeatMap } from "./heat-map.ts";
import { type Colour, viridis } from "./viridis.ts";

/** Bits of colour that a terminal shows, as `WriteStream.getColorDepth` gives them: 1, 4, 8 or 24. */
export interface TextOptions {
  readonly depth: number;
  /** Letters in a line. */
  readonly width: number;
}

/** From nothing to all, for terminals without colours. */
const RAMP = " .:-=+*#%@";
const RESET = "\u001b[0m";

/** Where a stream shows a map: no colours unless it is a terminal that has them. */
export function textOptionsOf(stream: NodeJS.WriteStream): TextOptions {
  // NO_COLOR=anything asks for none (no-color.org); without a terminal Node has no getColorDepth at all
  const plain = !stream.isTTY || Boolean(process.env.NO_COLOR);
  return { depth: plain ? 1 : stream.getColorDepth(), width: stream.columns ?? Infinity };
}

/** The nearest of the 6 x 6 x 6 colours that terminals with 256 have. */
function cubeIndex(colour: Colour): number {
  const [red, green, blue] = colour.map((value) => Math.max(0, Math.round((value - 55) / 40)));
  return 16 + 36 * red + 6 * green + blue;
}

function painter(depth: number): (part: number, letters: number) => string {
  if (depth < 8) {
    return (part, letters) => RAMP[Math.min(RAMP.length - 1, Math.floor(part * RAMP.length))].repeat(letters);
  }
  return (part, letters) => {
    const colour = viridis(part);
    const code = depth >= 24 ? `2;${colour.join(";")}` : `5;${cubeIndex(colour)}`;
    return `\u001b[48;${code}m${" ".repeat(letters)}`;
  };
}

/** The map in lines: names of columns upright above it, names of rows beside it, a legend below. */
export function heatMapText(
  { rows, columns, values, legend, range: [low, high] }: HeatMap,
  options: TextOptions,
): string {
  const { depth, width } = options;
  const indent = Math.max(0, ...rows.names.map(({ length }) => length)) + 1;
  const wide = indent + 2 * columns.names.length <= width ? 2 : 1;
  const paint = painter(depth);
  const end = depth < 8 ? "" : RESET;
  const cellOf = (value: number) =>
    Number.isFinite(value)
      ? paint(Math.min(1, Math.max(0, (value - low) / (high - low))), wide)
      : `${end}${"?".repeat(wide)}`;
  const tallest = Math.max(0, ...columns.names.map(({ length }) => length));
  const head = Array.from({ length: tallest }, (_, line) => {
    const letters = columns.names.map((name) => (name.padStart(tallest)[line] ?? " ").padEnd(wide));
    return `${" ".repeat(indent)}${letters.join("").trimEnd()}`;
  });
  const body = values.map((row, i) => `${rows.names[i].padStart(indent - 1)} ${row.map(cellOf).join("")}${end}`);
  const scale = Array.from({ length: 20 }, (_, i) => paint((i + 0.5) / 20, 1)).join("");
  return [
    ...head,
    ...body,
    "",
    `${" ".repeat(indent)}${low.toFixed(2)} ${scale}${end} ${high.toFixed(2)}  ${legend}`,
  ].join("\n");
}
