/** Numbers as people read them, short. */

export function short(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2).replace(/\.?0+e/, "e");
  return size >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(4)));
}

export const percent = (part: number | null | undefined): string =>
  part === null || part === undefined ? "–" : `${(100 * part).toFixed(1)} %`;

/** E.g. `48 s`, `3 min 05 s`, `2 h 10 min`. */
export function duration(seconds: number | null): string {
  if (seconds === null) return "–";
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${String(whole % 60).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A layer without what all have in common. */
export const layerName = (path: string): string => path.replace(/^student\./, "").replace("intermediate_layers.", "");

/** A run by the minute it began, without the day and the second. */
export const runName = (id: string): string => id.replace(/^\d{8}-(\d{2})(\d{2})\d{2}-/, "$1:$2 ");
