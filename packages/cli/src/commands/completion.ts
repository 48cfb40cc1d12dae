/** `guidance completion`: what lets a shell complete commands and options. */
import { ValueError } from "@guidance/tensor";
import type { Command } from "commander";
import { addExamples } from "../examples.ts";

/** A command's name and its long options, with what each does. */
interface Completed {
  readonly name: string;
  readonly about: string;
  readonly options: readonly { readonly flag: string; readonly about: string }[];
}

function commandsOf(program: Command): Completed[] {
  return program.commands.map((command) => ({
    name: command.name(),
    about: command.description(),
    options: command.options.flatMap(({ long, description }) => (long ? [{ flag: long, about: description }] : [])),
  }));
}

/** Commands first, then the options of the one that was typed; files wherever no option begins. */
function bash(commands: readonly Completed[]): string {
  const cases = commands.map(
    ({ name, options }) => `    ${name}) words="${options.map(({ flag }) => flag).join(" ")} --help" ;;`,
  );
  return `_guidance() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then words="${commands.map(({ name }) => name).join(" ")} --help"; fi
  if [ "$COMP_CWORD" -gt 1 ] && [ "\${current#-}" != "$current" ]; then
    case "\${COMP_WORDS[1]}" in
${cases.map((line) => `  ${line}`).join("\n")}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _guidance guidance`;
}

const zsh = (commands: readonly Completed[]): string =>
  `autoload -U +X bashcompinit && bashcompinit\n${bash(commands)}`;

function fish(commands: readonly Completed[]): string {
  const quoted = (text: string) => `'${text.replace(/[\\']/g, "\\$&")}'`;
  return commands
    .flatMap(({ name, about, options }) => [
      `complete -c guidance -n __fish_use_subcommand -a ${name} -d ${quoted(about)}`,
      ...options.map(
        (option) =>
          `complete -c guidance -n '__fish_seen_subcommand_from ${name}' -l ${option.flag.slice(2)} -d ${quoted(option.about)}`,
      ),
    ])
    .join("\n");
}

const shells: Readonly<Record<string, (commands: readonly Completed[]) => string>> = { bash, zsh, fish };

export function addCompletion(program: Command): void {
  const command = program
    .command("completion")
    .description("print what lets a shell complete commands and options")
    .argument("<shell>", Object.keys(shells).join(", "))
    .action((shell: string) => {
      const script = shells[shell];
      if (!script) {
        throw new ValueError({
          what: "completion",
          facts: `the shell is "${shell}"`,
          expected: `one of ${Object.keys(shells).join(", ")}`,
        });
      }
      console.log(script(commandsOf(program)));
    });
  addExamples(command, [
    ["bash >> ~/.bash_completion", "for the command or alias `guidance`"],
    ["fish > ~/.config/fish/completions/guidance.fish", ""],
  ]);
}
