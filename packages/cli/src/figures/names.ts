/** Names of things that are shown beside each other: short where that tells them apart. */

/** What `shorten` makes of each; in full where two would be called the same. */
export function shortNames(names: readonly string[], shorten: (name: string) => string): string[] {
  const short = names.map(shorten);
  return names.map((name, i) => (short.filter((other) => other === short[i]).length === 1 ? short[i] : name));
}

/** Dotted names of the settings that any run has. One that is null here and has fields there is told by its fields. */
export function settingNames(runs: readonly Iterable<string>[]): string[] {
  const names = [...new Set(runs.flatMap((run) => [...run]))];
  return names.filter((name) => !names.some((other) => other.startsWith(`${name}.`)));
}
