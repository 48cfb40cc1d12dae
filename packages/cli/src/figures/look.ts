/** What tells curves apart, in the dashboard and in reports: colours, and dashes for those who see none. */

/** A contrast of at least 3 to 1 with white and with black (WCAG for graphics); the first ones differ to the colour blind. */
export const COLOURS = [
  "#0072b2",
  "#d55e00",
  "#009e73",
  "#b5569a",
  "#8a7500",
  "#6f6fe0",
  "#c2404d",
  "#78828c",
] as const;

/** Runs that are shown together at most: each has a colour of its own. */
export const MOST_RUNS = COLOURS.length;

/** What curves are of. */
export type Network = "guided" | "unguided" | "guide";

const dashes: Readonly<Record<Network, readonly number[]>> = { guided: [], unguided: [6, 3], guide: [2, 3] };
const networks = Object.keys(dashes);

export interface Look {
  readonly colour: string;
  /** Lengths of lines and gaps; none for a line without. */
  readonly dash: readonly number[];
}

/** Of a network of run number `run` of `runs`, at most `MOST_RUNS`: several runs differ in colour, the networks of one in both. */
export function lookOf(network: Network, run: number, runs: number): Look {
  const index = runs > 1 ? run : networks.indexOf(network);
  return { colour: COLOURS[index], dash: dashes[network] };
}
