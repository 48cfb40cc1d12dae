// The page of all commands, made of the command line itself, so that it cannot say anything else.

import { buildProgram } from "@guidance/cli";

type Command = ReturnType<typeof buildProgram>;

function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({ writeOut: (part) => (text += part) }).outputHelp();
  return text;
}

const cell = (text: string): string => text.replaceAll("|", "\\|").replace(/<(\w[\w -]*)>/g, "&lt;$1&gt;");

function section(command: Command): string {
  const rows = command.options.map(({ flags, description, defaultValue, defaultValueDescription }) => {
    const shown = defaultValueDescription ?? (defaultValue === undefined ? "" : String(defaultValue));
    return `| \`${flags}\` | ${cell(description)}${shown === "" ? "" : ` (default: ${cell(shown)})`} |`;
  });
  const taken = command.registeredArguments.map(
    (argument) => `| \`${argument.name()}\` | ${cell(argument.description)} |`,
  );
  const examples = (helpOf(command).split("Examples:\n")[1] ?? "").trimEnd().split("\n");
  const lines = examples.map((line) => (line.startsWith("      ") ? `# ${line.trim()}` : line.trim()));
  // a comment stands above its line
  const ordered = lines.flatMap((line, i) =>
    line.startsWith("#") ? [] : lines[i + 1]?.startsWith("#") ? [lines[i + 1], line] : [line],
  );
  const described = command.description();
  return [
    `## guidance ${command.name()}`,
    `${described[0].toUpperCase()}${described.slice(1)}.`,
    ["```sh", ...ordered, "```"].join("\n"),
    ...(taken.length + rows.length > 0 ? [["| | |", "| --- | --- |", ...taken, ...rows].join("\n")] : []),
  ].join("\n\n");
}

/** The text of docs/commands.md. */
export function commandsPage(): string {
  const program = buildProgram();
  const intro =
    "<!-- Made by `pnpm test --filter=@guidance/test -- docs/commands -u` of the command line itself. -->\n\n" +
    "`guidance <command> --help` prints the same. Here `guidance` stands for `npx -y pnpm@12.21.0 guidance`.";
  return `# Commands\n\n${intro}\n\n${program.commands.map(section).join("\n\n")}\n`;
}
