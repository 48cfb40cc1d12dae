// A reader for the one archive that is unpacked here: plain files in ustar layout, which is a sequence of 512-byte
// headers, each followed by its file padded to a multiple of 512 bytes, ended by a header of zeros.

const blockBytes = 512;

/** One regular file of an archive. */
export interface TarEntry {
  /** Path inside the archive. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The text of a header field, up to its first zero byte. */
function text(archive: Uint8Array, start: number, length: number): string {
  const field = archive.subarray(start, start + length);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end)).trim();
}

/**
 * Lists the regular files of an uncompressed tar archive.
 *
 * @param archive the whole archive; the entries' bytes are views into it
 * @throws Error when a file's size is unreadable or reaches past the end of the archive
 */
export function readTar(archive: Uint8Array): TarEntry[] {
  const entries: TarEntry[] = [];
  let header = 0;
  while (header + blockBytes <= archive.length && archive[header] !== 0) {
    const name = text(archive, header, 100);
    const size = Number.parseInt(text(archive, header + 124, 12), 8);
    const start = header + blockBytes;
    if (!(size >= 0) || start + size > archive.length) {
      throw new Error(
        `Cannot read the tar archive: "${name}" claims ${size} bytes at offset ${start} of ${archive.length}. ` +
          "The archive is damaged; install the package that holds it again.",
      );
    }
    const type = archive[header + 156];
    if (type === 0 || type === 0x30) entries.push({ name, bytes: archive.subarray(start, start + size) });
    header = start + Math.ceil(size / blockBytes) * blockBytes;
  }
  return entries;
}
