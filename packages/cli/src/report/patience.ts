/** Progress of what is over in a moment more often than not. */
import type { ProgressLine, Screen } from "./screen.ts";

/** Milliseconds after which somebody may wonder how far it is. */
const PATIENCE = 2000;

/** Shows on `screen` how far work is, once it has gone on for two seconds; it begins anew where less is done than before. */
export function patientProgress(screen: Pick<Screen, "progress">): (line: ProgressLine) => void {
  let last: ProgressLine | undefined;
  let since = 0;
  return (line) => {
    const goesOn = last?.label === line.label && last.detail === line.detail && last.done < line.done;
    if (!goesOn) since = performance.now();
    last = line;
    if (performance.now() - since >= PATIENCE) screen.progress(line);
  };
}
