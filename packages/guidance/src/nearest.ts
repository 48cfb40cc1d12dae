/** Which of the known names a mistyped one was meant to be. */

/** Edits (insertions, deletions, replacements, swaps of neighbours) that turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = rows[i - 1][j - 1] + Number(a[i - 1] !== b[j - 1]);
      row[j] = Math.min(rows[i - 1][j] + 1, row[j - 1] + 1, replaced);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j], rows[i - 2][j - 2] + 1);
    }
    rows.push(row);
  }
  return rows[a.length][b.length];
}

/** The one of `names` that `name` is nearest to, or undefined where none is near: less than half of it would change. */
export function nearestName(name: string, names: readonly string[]): string | undefined {
  const wanted = name.toLowerCase();
  const close = names
    .map((known) => ({ known, distance: editDistance(wanted, known.toLowerCase()) }))
    .filter(({ known, distance }) => distance < Math.max(wanted.length, known.length) / 2)
    .sort((a, b) => a.distance - b.distance);
  return close[0]?.known ?? names.find((known) => wanted.length > 1 && known.toLowerCase().includes(wanted));
}
