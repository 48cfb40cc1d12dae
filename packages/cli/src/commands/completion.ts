/** `guidance completion`: what lets a shell complete commands, options and those of their values that are words. */
import { ValueError } from "@guidance/tensor";
import type { Command, Option } from "commander";
import { OfferingOption } from "../choices.ts";
import { addExamples } from "../examples.ts";

interface CompletedOption {
  readonly flag: string;
  readonly about: string;
  readonly takesValue: boolean;
  /** Values, as far as they are words. */
  readonly offers: readonly string[];
}

/** A command's name, its long options, with what each does, and the words that its argument may be. */
interface Completed {
  readonly name: string;
  readonly about: string;
  readonly options: readonly CompletedOption[];
  readonly offers: readonly string[];
}

function commandsOf(program: Command): Completed[] {
  const argumentOffers: Readonly<Record<string, readonly string[]>> = {
    completion: Object.keys(shells),
    help: program.commands.map((command) => command.name()),
  };
  // the command help, which commander adds, among them
  const commands = program.createHelp().visibleCommands(program);
  return commands.map((command) => ({
    name: command.name(),
    about: command.description(),
    options: command.options.flatMap(completedOption),
    offers: argumentOffers[command.name()] ?? [],
  }));
}

function completedOption(option: Option): CompletedOption[] {
  const { long, description, required } = option;
  const offers = option instanceof OfferingOption ? option.offers : [];
  return long ? [{ flag: long, about: description, takesValue: required, offers }] : [];
}

/** Commands first, then the values that a word has before it, then options; files wherever none of these begins. */
function bash(commands: readonly Completed[]): string {
  const flags = commands.map(
    ({ name, options }) => `    ${name}) words="${options.map(({ flag }) => flag).join(" ")} --help" ;;`,
  );
  const values = commands.flatMap(({ name, options, offers }) =>
    [{ flag: name, offers }, ...options].flatMap(({ flag, offers }) =>
      offers.length > 0 ? [`    "${name} ${flag}") words="${offers.join(" ")}" ;;`] : [],
    ),
  );
  return `_guidance() {
  local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" words=""
  # --option=value comes as three words
  if [ "$current" = "=" ]; then current=""; elif [ "$before" = "=" ]; then before="\${COMP_WORDS[COMP_CWORD-2]}"; fi
  if [ "$COMP_CWORD" -eq 1 ]; then words="${commands.map(({ name }) => name).join(" ")} --help"
  elif [ "\${current#-}" != "$current" ]; then
    case "\${COMP_WORDS[1]}" in
${flags.join("\n")}
    esac
  else
    case "\${COMP_WORDS[1]} $before" in
${values.join("\n")}
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
  // -r: a value follows, files unless words are given; -f: no files
  const valuesOf = ({ takesValue, offers }: CompletedOption) =>
    offers.length > 0 ? `-r -f -a ${quoted(offers.join(" "))} ` : takesValue ? "-r " : "";
  return commands
    .flatMap(({ name, about, options, offers }) => {
      const within = `complete -c guidance -n '__fish_seen_subcommand_from ${name}'`;
      return [
        `complete -c guidance -n __fish_use_subcommand -a ${name} -d ${quoted(about)}`,
        ...(offers.length > 0 ? [`${within} -f -a ${quoted(offers.join(" "))}`] : []),
        ...options.map(
          (option) => `${within} -l ${option.flag.slice(2)} ${valuesOf(option)}-d ${quoted(option.about)}`,
        ),
      ];
    })
    .join("\n");
}

const shells: Readonly<Record<string, (commands: readonly Completed[]) => string>> = { bash, zsh, fish };

export function addCompletion(program: Command): void {
  const command = program
    .command("completion")
    .description("print what lets a shell complete commands, options and their values")
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
    ["zsh > ~/.guidance.zsh", "and in ~/.zshrc, after compinit: source ~/.guidance.zsh"],
    ["fish > ~/.config/fish/completions/guidance.fish", ""],
  ]);
}
