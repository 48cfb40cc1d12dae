/**
 * Parquet's hybrid of run lengths and packed bits, in which levels and indices into dictionaries are written.
 *
 * Runs follow each other, each with a header: a value and how often it comes, or groups of eight values of a few bits.
 *
 * Source: Apache Parquet, "Encodings", "Run Length Encoding / Bit-Packing Hybrid (RLE = 3)".
 */

/** The `count` values of `bits` bits each that `bytes` hold; throws RangeError where they end before. */
export function readHybrid(bytes: Uint8Array, bits: number, count: number): Int32Array {
  if (bits > 31) throw new RangeError(`values of ${bits} bits`);
  const values = new Int32Array(count);
  let at = 0;
  const next = (): number => {
    if (at >= bytes.length)
      throw new RangeError(`${bytes.length} bytes hold fewer than ${count} values of ${bits} bits`);
    return bytes[at++];
  };
  /** A number of any length, seven bits a byte from the lowest on; multiplied, since shifts would wrap. */
  const header = (): number => {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 35; factor *= 128) {
      const byte = next();
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    throw new RangeError("a run's header has no end");
  };
  for (let filled = 0; filled < count; ) {
    const run = header();
    const rest = count - filled;
    if (run % 2 === 0) {
      const length = Math.min(run / 2, rest);
      if (length === 0) throw new RangeError("a run has no values");
      let value = 0;
      for (let byte = 0; byte < bits; byte += 8) value |= next() << byte;
      values.fill(value, filled, filled + length);
      filled += length;
      continue;
    }
    // The last group is written whole, though fewer values may be left.
    const length = Math.min(((run - 1) / 2) * 8, rest);
    if (length === 0) throw new RangeError("a run has no values");
    let pending = 0;
    let pendingBits = 0;
    for (let place = 0; place < length; place++) {
      while (pendingBits < bits) {
        // A number, not an integer of 32 bits: up to 30 bits wait for eight more.
        pending += next() * 2 ** pendingBits;
        pendingBits += 8;
      }
      values[filled++] = pending % 2 ** bits;
      pending = Math.floor(pending / 2 ** bits);
      pendingBits -= bits;
    }
    at += Math.max(0, Math.min(((run - 1) / 2) * bits, bytes.length) - Math.ceil((length * bits) / 8));
  }
  return values;
}
