/** Examples at the end of a command's help. */
import type { Command } from "commander";

/** Adds command lines, without the command's own name, and what each does. */
export function addExamples(
  command: Command,
  examples: readonly (readonly [line: string, meaning: string])[],
): Command {
  const text = examples
    .map(([line, meaning]) => `  guidance ${command.name()} ${line}`.trimEnd() + (meaning ? `\n      ${meaning}` : ""))
    .join("\n");
  return command.addHelpText("after", `\nExamples:\n${text}`);
}
