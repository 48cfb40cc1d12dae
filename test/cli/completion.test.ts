// Completion in real shells: each is asked what it makes of half a word. bash is tried by the package's own tests.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { mustRun } from "../support/command.ts";
import { openTier } from "../support/tiers.ts";
import { guidance, scratch } from "./command.ts";

const shells = await openTier(
  "shells",
  () => Promise.all(["zsh", "fish"].map((shell) => mustRun(shell, ["--version"]))),
  (versions) => versions.map((version) => version.trim()).join(", "),
);
const fresh = scratch();

/** A terminal in zsh: `script` is read in, the line is typed with a tab and Enter behind it, and told is what then runs. */
const terminal = (script: string, line: string) => `
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'autoload -U compinit && compinit -u -D; source ${script}; PS1=""; guidance() { print "<$*>" }; print ready'
zpty -r -m shell seen '*ready*ready*'
zpty -n -w shell $'${line}\\t\\n'
zpty -r -m shell seen '*<*>*'
print -r -- "$seen"
zpty -d shell`;

/** What a shell makes of a line. */
const complete: Readonly<Record<string, (script: string, line: string) => Promise<string>>> = {
  zsh: (script, line) => mustRun("zsh", ["-f", "-c", terminal(script, line)]),
  fish: (script, line) => mustRun("fish", ["--no-config", "-c", `source ${script}; complete -C "${line}"`]),
};

describe.skipIf(!shells).each(Object.keys(complete))("%s", (shell) => {
  const script = join(fresh(), `guidance.${shell}`);
  beforeAll(async () => writeFileSync(script, (await guidance(["completion", shell])).stdout));

  test.each([
    ["guidance compl", "completion"],
    ["guidance train --precis", "--precision"],
    ["guidance eval --spl", "--split"],
    ["guidance train --device swi", "swiftshader"],
    ["guidance train --similarity proc", "procrustes"],
    ["guidance compare a b --estimator mini", "minibatch"],
    ["guidance completion zs", "zsh"],
    ["guidance help compl", "completion"],
  ])("%s becomes %s", async (line, word) => {
    expect(await complete[shell](script, line)).toContain(word);
  });
});
