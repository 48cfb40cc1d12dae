// Every block of a page is of a kind that a test here knows, every link leads somewhere, and options and scripts that are
// named in passing exist: in a line such as `guidance train --seed 1` those of its command, elsewhere those of a command that the
// page names. Narrower than the page would be wrong as often as right: most paragraphs on options name no command, or another one.

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { buildProgram } from "@guidance/cli";
import { describe, expect, test } from "vitest";
import { root } from "../support/command.ts";
import { anchorOf, blocksOf, pages, proseOf, textOf, where } from "./markdown.ts";

const { scripts, packageManager } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** The options of each command. */
const commands = new Map(
  buildProgram().commands.map((command) => [command.name(), command.options.map(({ long }) => long)] as const),
);
/** Source files of the repository, as paths below the root. */
const sources = ["packages", "test", "bench", "examples", "scripts"]
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map(
      (path) => `/${folder}/${path.replaceAll("\\", "/")}`,
    ),
  )
  .filter((path) => !/\/(node_modules|dist)\//.test(path));
/** Options of other programs. */
const foreign = new Set(["--enable-unsafe-webgpu", "--peers"]);

describe.each(pages)("%s", (page) => {
  test("has blocks of known kinds", () => {
    for (const block of blocksOf(page)) {
      const { language, note, text, before } = block;
      const place = where(block);
      // typescript.test.ts and shell.test.ts execute them; a YAML file is what a command there reads
      if (language === "ts" || language === "sh") continue;
      if (language === "yaml") expect(note, `${place}: a YAML block says which file it is`).toMatch(/^[\w-]+\.yaml$/);
      else if (language === "json") JSON.parse(text);
      else if (language === "text" && /^(formula|diagram)$/.test(note)) continue;
      else if (language === "text") expect(before, `${place}: a result says what made it`).toMatch(/`(guidance|pnpm) /);
      else throw new Error(`${place}: nothing is known of blocks of "${language}"`);
    }
  });

  test("has links that lead somewhere", () => {
    for (const [, target] of proseOf(page).matchAll(/\]\(([^)]+)\)/g)) {
      if (target.startsWith("https://")) continue;
      const [path, anchor] = target.split("#");
      const file = path === "" ? page : relative(root, join(root, dirname(page), path));
      expect(existsSync(join(root, file)), `${page} links to ${target}`).toBe(true);
      // the site has pages, not folders
      expect(statSync(join(root, file)).isFile(), `${page} links to the folder ${target}`).toBe(true);
      if (anchor === undefined) continue;
      const anchors = [...proseOf(file).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading));
      expect(anchors, `${page} links to ${target}`).toContain(anchor);
    }
  });

  test("says what `guidance` stands for before a line begins with it", () => {
    const text = textOf(page);
    const [first] = blocksOf(page).filter(({ language, text }) => language === "sh" && /^guidance /m.test(text));
    if (first === undefined) return;
    const before = text.split("\n").slice(0, first.line).join("\n");
    expect(before, where(first)).toContain(`\`guidance\` stands for \`npx -y ${packageManager} guidance\``);
  });

  test("names source files that exist, from the root, the packages' folder or one within a package", () => {
    for (const [, path] of proseOf(page).matchAll(/`((?:[\w.-]+\/)+[\w.-]+\.(?:ts|mjs|py)|packages\/[\w./-]+)`/g)) {
      expect(
        sources.some((source) => source.endsWith(`/${path}`)),
        `${page}: ${path}`,
      ).toBe(true);
    }
  });

  test("names options that commands have, and scripts that exist", () => {
    const text = textOf(page);
    // as `train`, `guidance train` or in a line of a block
    const named = [...commands.keys()].filter((name) => new RegExp(`\`${name}[ \`]|guidance ${name}\\b`).test(text));
    for (const [, code] of proseOf(page).matchAll(/`([^`]+)`/g)) {
      const place = `${page}: ${code}`;
      const [, own = ""] = /^(?:guidance )?([a-z]+) /.exec(code) ?? [];
      const [word] = code.split(/[\s,=]/);
      if (commands.has(own)) {
        // a line of its own: each option is that command's
        for (const [flag] of code.matchAll(/(?<=\s)--[a-z][\w-]*/g)) expect(commands.get(own), place).toContain(flag);
      } else if (/^--\w/.test(word) && !foreign.has(word)) {
        expect(
          named.filter((name) => commands.get(name)?.includes(word)),
          `${place}: no command that the page names has it`,
        ).not.toEqual([]);
      }
      const [, script] = /^pnpm ([\w:]+)/.exec(code) ?? [];
      if (script !== undefined) expect([...Object.keys(scripts), "install"], place).toContain(script);
    }
  });
});

test("the front door leads to every page of the docs", () => {
  const front = textOf("README.md");
  for (const page of pages.filter((page) => page !== "README.md")) expect(front).toContain(`(${page})`);
});

test("a block of an unknown language, without end or indented is noticed", () => {
  expect(blocksOf("x.md", "```sh a\nls\n```")).toEqual([
    { page: "x.md", line: 1, language: "sh", note: "a", text: "ls", before: "" },
  ]);
  expect(() => blocksOf("x.md", "```sh\nls")).toThrow("x.md:1: a block without end");
  expect(() => blocksOf("x.md", "a\n\n    b")).toThrow("x.md:3: an indented block");
});
