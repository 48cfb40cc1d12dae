/**
 * The record of a network as TensorBoard reads it: `tensorboard --logdir runs` shows each network as a run of its own.
 *
 * Each start of a training writes a file of its own, whose first records tell readers to drop what earlier files have of
 * steps that are now done again. Records are gathered and written every second, and before each checkpoint.
 */
import { closeSync, openSync, readdirSync, writeSync } from "node:fs";
import { join } from "node:path";
import { restartRecord, scalarsRecord, versionRecord } from "./event-file.ts";
import type { Logger, LogStart } from "./logger.ts";
import { scalarLogger } from "./scalars.ts";

/** Seconds between writes. */
const INTERVAL = 1;

const NAME = /^events\.out\.tfevents\.(\d{10,})\.guidance$/;

/** A name that sorts after those of all earlier files, in whose order TensorBoard reads them. */
function newName(folder: string): string {
  const times = readdirSync(folder).map((name) => Number(NAME.exec(name)?.[1] ?? 0));
  const time = Math.max(Math.floor(Date.now() / 1000), 1 + Math.max(0, ...times));
  return `events.out.tfevents.${String(time).padStart(10, "0")}.guidance`;
}

const now = (): number => Date.now() / 1000;

/** Writes `events.out.tfevents.*` into the folder of the network. */
export function tensorboardLogger(start: LogStart): Logger {
  const { folder, step: done } = start;
  const file = openSync(join(folder, newName(folder)), "wx");
  let waiting = [versionRecord(now())];
  let written = now();
  // a score before the first step is one of step 0, and made again by a run that goes on from there
  waiting.push(restartRecord(now(), done === 0 ? 0 : done + 1));

  const flush = () => {
    const bytes = Buffer.concat(waiting);
    waiting = [];
    written = now();
    for (let offset = 0; offset < bytes.length; ) offset += writeSync(file, bytes, offset);
  };
  return scalarLogger(start, {
    write(step, scalars) {
      waiting.push(scalarsRecord(now(), step, scalars));
      if (now() - written >= INTERVAL) flush();
    },
    saving: flush,
    close() {
      try {
        flush();
      } finally {
        closeSync(file);
      }
    },
  });
}
