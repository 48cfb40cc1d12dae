/**
 * Reads event files by the published formats alone, sharing nothing with the writer: TFRecord frames, CRC-32C bit by bit,
 * the wire format of protocol buffers; then what TensorBoard makes of all files of a folder, restarts included
 * (`_CheckForRestartAndMaybePurge` of its event_accumulator.py).
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** CRC-32C by polynomial division, unreflected: bits are turned around at both ends. */
export function slowCrc32c(bytes: Uint8Array): number {
  const reversed = (value: number, bits: number) =>
    Number(`0b${value.toString(2).padStart(bits, "0").split("").reverse().join("")}`);
  let rest = 0xffffffffn;
  for (const byte of bytes) {
    rest ^= BigInt(reversed(byte, 8)) << 24n;
    for (let bit = 0; bit < 8; bit++) rest = ((rest << 1n) ^ (rest & 0x80000000n ? 0x11edc6f41n : 0n)) & 0xffffffffn;
  }
  return reversed(Number(rest ^ 0xffffffffn), 32);
}

function unmask(stored: number): number {
  const rotated = BigInt(stored) - 0xa282ead8n + (1n << 32n);
  const value = rotated & 0xffffffffn;
  return Number(((value >> 17n) | (value << 15n)) & 0xffffffffn);
}

/** The payloads of a file; `rest` is what a last record lacks its end of. */
export function readRecords(bytes: Buffer): { payloads: Buffer[]; rest: number } {
  const payloads: Buffer[] = [];
  let at = 0;
  while (at + 12 <= bytes.length) {
    const length = Number(bytes.readBigUInt64LE(at));
    if (slowCrc32c(bytes.subarray(at, at + 8)) !== unmask(bytes.readUInt32LE(at + 8)))
      throw new Error(`length at ${at}`);
    const end = at + 12 + length;
    if (end + 4 > bytes.length) break;
    const payload = bytes.subarray(at + 12, end);
    if (slowCrc32c(payload) !== unmask(bytes.readUInt32LE(end))) throw new Error(`payload at ${at}`);
    payloads.push(payload);
    at = end + 4;
  }
  return { payloads, rest: bytes.length - at };
}

type Field = number | Buffer;

/** Fields of a message by number. */
function readMessage(bytes: Buffer): Map<number, Field[]> {
  const fields = new Map<number, Field[]>();
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return Number(value);
    }
  };
  const take = (length: number) => {
    at += length;
    if (at > bytes.length) throw new Error("a field runs over its message");
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const key = varint();
    const value = () => {
      if (key % 8 === 0) return varint();
      if (key % 8 === 1) return take(8).readDoubleLE();
      if (key % 8 === 2) return take(varint());
      if (key % 8 === 5) return take(4).readFloatLE();
      throw new Error(`wire type ${key % 8}`);
    };
    const field = Math.floor(key / 8);
    fields.set(field, [...(fields.get(field) ?? []), value()]);
  }
  return fields;
}

export interface ReadEvent {
  readonly time: number;
  readonly step: number;
  readonly version: string | undefined;
  readonly isRestart: boolean;
  readonly scalars: readonly (readonly [tag: string, value: number])[];
}

function readEvent(payload: Buffer): ReadEvent {
  const event = readMessage(payload);
  const [version, summary, session] = [3, 5, 7].map((field) => event.get(field)?.[0] as Buffer | undefined);
  const values = summary ? (readMessage(summary).get(1) ?? []).map((value) => readMessage(value as Buffer)) : [];
  return {
    time: event.get(1)?.[0] as number,
    step: (event.get(2)?.[0] as number | undefined) ?? 0,
    version: version?.toString(),
    isRestart: session !== undefined && readMessage(session).get(1)?.[0] === 1,
    scalars: values.map((value) => [String(value.get(1)?.[0]), value.get(2)?.[0] as number] as const),
  };
}

export const eventFiles = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.includes("tfevents"))
    .sort()
    .map((name) => join(folder, name));

export const readEvents = (path: string): ReadEvent[] => readRecords(readFileSync(path)).payloads.map(readEvent);

/** Points of each tag as TensorBoard shows those of a folder. */
export function shownScalars(folder: string): Map<string, [step: number, value: number][]> {
  const shown = new Map<string, [number, number][]>();
  for (const event of eventFiles(folder).flatMap(readEvents)) {
    if (event.isRestart) {
      for (const [tag, points] of shown)
        shown.set(
          tag,
          points.filter(([step]) => step < event.step),
        );
    }
    for (const [tag, value] of event.scalars) shown.set(tag, [...(shown.get(tag) ?? []), [event.step, value]]);
  }
  return shown;
}
