/** What tells lines apart: a pair of colours for each run, and dashes for the networks, for those who see no colours. */
import type { Arm } from "./state.ts";

export type Theme = "light" | "dark";

/** Guided and unguided. One run alone takes the first two hues, which differ most. */
const pairs: Readonly<Record<Theme, readonly (readonly [string, string])[]>> = {
  light: [
    ["#1d5fd1", "#c2570c"],
    ["#1d5fd1", "#6f9fe8"],
    ["#c2570c", "#e8a06a"],
    ["#15803d", "#6fb98a"],
    ["#a21caf", "#d08bd8"],
    ["#0e7490", "#6db3c4"],
    ["#b42318", "#e28a82"],
    ["#6b5b00", "#b5a85a"],
    ["#4b5563", "#9aa3af"],
  ],
  dark: [
    ["#6ea8ff", "#ffa24d"],
    ["#6ea8ff", "#3f6cb0"],
    ["#ffa24d", "#ad6c30"],
    ["#5fdc8c", "#38905a"],
    ["#e68bf0", "#98569f"],
    ["#5cd0e6", "#368a9a"],
    ["#ff8a80", "#b0564f"],
    ["#e5d352", "#968a34"],
    ["#c5ccd6", "#7d8692"],
  ],
};

const dashes: Readonly<Record<Arm, readonly number[]>> = { guided: [], unguided: [7, 4], guide: [2, 3] };

export interface Look {
  readonly colour: string;
  readonly dash: readonly number[];
}

/** Of the network `arm` of run number `index` of `count`. */
export function lookOf(theme: Theme, index: number, count: number, arm: Arm): Look {
  const own = pairs[theme];
  const pair = count === 1 ? own[0] : own[1 + (index % (own.length - 1))];
  const guide = theme === "light" ? "#6b7280" : "#9ca3af";
  const colour = arm === "guided" ? pair[0] : arm === "unguided" ? pair[1] : count === 1 ? guide : pair[1];
  return { colour, dash: dashes[arm] };
}
