/**
 * The bytes of TensorBoard's event files: TFRecord frames around protocol buffers of the message `Event`
 * (tensorboard/compat/proto/event.proto and summary.proto), of which these few fields are all that scalars need.
 *
 *     Event:   1 wall_time double, 2 step int64, 3 file_version string, 5 summary Summary, 7 session_log SessionLog
 *     Summary: 1 value, repeated: 1 tag string, 2 simple_value float
 *     SessionLog: 1 status enum, START being 1
 */
import { crc32c } from "./crc32c.ts";
import type { Scalar } from "./scalars.ts";

/** Wire types of protocol buffers. */
const [VARINT, DOUBLE, LENGTH, FLOAT] = [0, 1, 2, 5];

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
  return Buffer.from([...bytes, value]);
}

const key = (field: number, wire: number): Buffer => varint(field * 8 + wire);
const wholeNumber = (field: number, value: number): Buffer => Buffer.concat([key(field, VARINT), varint(value)]);
const nested = (field: number, bytes: Uint8Array): Buffer =>
  Buffer.concat([key(field, LENGTH), varint(bytes.length), bytes]);

function double(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes[0] = field * 8 + DOUBLE;
  bytes.writeDoubleLE(value, 1);
  return bytes;
}

function float(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes[0] = field * 8 + FLOAT;
  bytes.writeFloatLE(value, 1);
  return bytes;
}

/** The checksum that is stored: rotated and shifted, since one of bytes that contain their own checksum is weak. */
function maskedChecksum(bytes: Uint8Array): number {
  const checksum = crc32c(bytes);
  return (((checksum >>> 15) | (checksum << 17)) + 0xa282ead8) >>> 0;
}

/** Length and its checksum, the bytes and theirs. */
function record(bytes: Uint8Array): Buffer {
  const framed = Buffer.alloc(bytes.length + 16);
  framed.writeBigUInt64LE(BigInt(bytes.length));
  framed.writeUInt32LE(maskedChecksum(framed.subarray(0, 8)), 8);
  framed.set(bytes, 12);
  framed.writeUInt32LE(maskedChecksum(bytes), 12 + bytes.length);
  return framed;
}

/** An event at `time` (seconds since 1970) and `step`. */
const event = (time: number, step: number, what: Uint8Array): Buffer =>
  record(Buffer.concat([double(1, time), wholeNumber(2, step), what]));

/** The first record of a file. */
export const versionRecord = (time: number): Buffer => event(time, 0, nested(3, Buffer.from("brain.Event:2")));

/** Tells readers to drop what earlier files have of `step` and later ones. */
export const restartRecord = (time: number, step: number): Buffer => event(time, step, nested(7, wholeNumber(1, 1)));

export function scalarsRecord(time: number, step: number, scalars: readonly Scalar[]): Buffer {
  const values = scalars.map(([tag, value]) =>
    nested(1, Buffer.concat([nested(1, Buffer.from(tag)), float(2, value)])),
  );
  return event(time, step, nested(5, Buffer.concat(values)));
}
