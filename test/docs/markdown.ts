// The pages of the repository as data: their fenced blocks, their links and the code within their lines.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../support/command.ts";

/** A fenced block: three backticks, a language, a note, and its lines. */
export interface Block {
  /** Path of its page below the root. */
  readonly page: string;
  /** Line of its first backticks, from 1. */
  readonly line: number;
  readonly language: string;
  /** What follows the language, e.g. a file name. */
  readonly note: string;
  readonly text: string;
  /** The last line before it that is not empty. */
  readonly before: string;
}

function readmes(folder: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder))
    .map((name) => `${folder}/${name}/README.md`)
    .filter((path) => existsSync(join(root, path)));
}

/** Every page that users read, as paths below the root. */
export const pages: readonly string[] = [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".md") && !/^(site|node_modules)/.test(path))
    .map((path) => `docs/${path.replaceAll("\\", "/")}`),
  ...readmes("packages"),
  ...readmes("examples"),
];

export const textOf = (page: string): string => readFileSync(join(root, page), "utf8");

/** The fenced blocks of a page; throws where one does not end, or is indented, which has no language. */
export function blocksOf(page: string, text: string = textOf(page)): Block[] {
  const blocks: Block[] = [];
  const lines = text.split("\n");
  let before = "";
  for (let i = 0; i < lines.length; i++) {
    const fence = /^```(\S*) ?(.*)$/.exec(lines[i]);
    if (/^ {4}/.test(lines[i]) && before === "" && !fence) throw new Error(`${page}:${i + 1}: an indented block`);
    if (fence) {
      const end = lines.indexOf("```", i + 1);
      if (end < 0) throw new Error(`${page}:${i + 1}: a block without end`);
      const last = lines.slice(0, i).findLast((line) => line.trim() !== "") ?? "";
      const [, language, note] = fence;
      blocks.push({ page, line: i + 1, language, note, text: lines.slice(i + 1, end).join("\n"), before: last });
      i = end;
    }
    before = lines[i].trim();
  }
  return blocks;
}

/** The page without its fenced blocks. */
export function proseOf(page: string): string {
  return textOf(page).replace(/^```[\s\S]*?^```$/gm, "");
}

export const where = ({ page, line }: Pick<Block, "page" | "line">): string => `${page}:${line}`;

/** A heading as the anchor that GitHub makes of it. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}
