/** Numbers as people read them. */

/** E.g. `59.1 %` of 0.591. */
export const percent = (part: number): string => `${(100 * part).toFixed(1)} %`;

/** E.g. `0.31 s`, `48 s`, `3 min 05 s`. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(seconds < 1 ? 2 : 1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  const rest = `${String(whole % 60).padStart(2, "0")} s`;
  return minutes < 60 ? `${minutes} min ${rest}` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Columns aligned by their widest cell: the first to the left, the others to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("   ");
  return rows.map(line).join("\n");
}

/** Three digits and a decimal prefix, to stand before a unit: e.g. `1.81 G` of 1814073344. */
export function count(value: number): string {
  const prefixes = ["", "k", "M", "G", "T", "P"];
  const power = value < 1 ? 0 : Math.min(prefixes.length - 1, Math.floor(Math.log10(value) / 3));
  return `${Number((value / 1000 ** power).toPrecision(3))} ${prefixes[power]}`;
}
