// Scripts of package.json as pnpm runs them, without pnpm, whose start takes longer than most of them.

import { readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { root } from "../support/command.ts";

interface Script {
  readonly line: string;
  readonly cwd: string;
  /** With the folder's own programs. */
  readonly path: string;
}

const scriptsOf = (folder: string): Record<string, string> =>
  JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")).scripts;

/** The shell line of `pnpm <words>`; throws where there is no such script. */
export function scriptOf([name, ...args]: readonly string[], folder = ""): Script {
  const script = scriptsOf(folder)[name];
  if (script === undefined) throw new Error(`there is no script "${name}" in ${join(folder, "package.json")}`);
  const [, inside] = /^pnpm --filter @guidance\/(\w+)$/.exec(script) ?? [];
  if (inside !== undefined) return scriptOf(args, inside);
  const cwd = join(root, folder);
  const path = [join(cwd, "node_modules/.bin"), process.env.PATH].join(delimiter);
  return { line: [script, ...args].join(" "), cwd, path };
}
