/** Options whose values are words: which ones there are, for those who mistype them and for shells that complete them. */
import { nearestName } from "@guidance/guidance";
import { InvalidArgumentError, Option } from "commander";

/** One of `choices`; otherwise an error with the nearest of them. */
export function oneOf<T extends string>(choices: readonly T[]): (text: string) => T {
  return (text) => {
    const found = choices.find((choice) => choice === text);
    if (found !== undefined) return found;
    const nearest = nearestName(text, choices);
    const hint = nearest === undefined ? "" : ` Did you mean "${nearest}"?`;
    throw new InvalidArgumentError(`Expected one of ${choices.join(", ")}.${hint}`);
  };
}

/** An option that shells complete; it may take other values too, such as names of plugins. (Commander's own choices would stand in help twice.) */
export class OfferingOption extends Option {
  readonly offers: readonly string[];

  constructor(flags: string, help: string, offers: readonly string[]) {
    super(flags, help);
    this.offers = offers;
  }
}

/** An option that takes one of `choices`. */
export function choiceOption(flags: string, help: string, choices: readonly string[]): Option {
  return new OfferingOption(flags, help, choices).argParser(oneOf(choices));
}
