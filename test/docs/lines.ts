// The lines of shell blocks, taken apart: joined where they go on, without comments, as words.

import { blocksOf, pages, where } from "./markdown.ts";

export interface ShellLine {
  /** Page and line of its block. */
  readonly place: string;
  readonly text: string;
}

/** Words of a command, quotes removed; a comment ends it. Words that a shell would not take literally keep their quotes' text. */
export function wordsOf(text: string): string[] {
  return [...text.matchAll(/(?:^|(?<=\s))#.*$|(?:'[^']*'|"[^"]*"|[^\s'"])+/g)]
    .map(([word]) => word)
    .filter((word) => !word.startsWith("#"))
    .map((word) => word.replace(/'([^']*)'|"([^"]*)"/g, "$1$2"));
}

/** Commands of a line that are joined by pipes, without redirections. */
export function commandsOf(text: string): string[][] {
  const commands: string[][] = [[]];
  const words = wordsOf(text);
  for (let i = 0; i < words.length; i++) {
    if (words[i] === "|") commands.push([]);
    else if (words[i] === ">" || words[i] === ">>") i++;
    // a variable of the environment, before the command's name
    else if (commands.at(-1)?.length === 0 && /^[A-Z_]+=/.test(words[i])) continue;
    else commands.at(-1)?.push(words[i]);
  }
  return commands;
}

/** How a line begins that makes `guidance` a function of the shell. */
export const definition = /^guidance\(\) \{/;

/** Every line of every shell block, each once, in the order of the pages. */
export function shellLines(): ShellLine[] {
  const lines = new Map<string, ShellLine>();
  for (const block of pages.flatMap((page) => blocksOf(page)).filter(({ language }) => language === "sh")) {
    for (const line of block.text.replace(/\\\n\s*/g, "").split("\n")) {
      const text = line.trim();
      if (text === "" || text.startsWith("#")) continue;
      // whether in short or through pnpm
      const key = commandsOf(text)
        .map((words) => guidanceArgs(words)?.join(" ") ?? words.join(" "))
        .join(" | ");
      if (!lines.has(key)) lines.set(key, { place: where(block), text });
    }
  }
  return [...lines.values()];
}

/** The arguments of `guidance` where a command is one, in short or through pnpm. */
export function guidanceArgs(words: readonly string[]): readonly string[] | undefined {
  if (words[0] === "guidance") return words.slice(1);
  return words[0] === "npx" && words[3] === "guidance" ? words.slice(4) : undefined;
}
