/** The images of the fixtures, stored in each of the ways that can be read. */

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parquetWriteFile } from "hyparquet-writer";

/** An image to store. */
export interface StoredImage {
  readonly bytes: Uint8Array;
  readonly label: number;
  /** Name of the file, without folder. */
  readonly name: string;
}

/** Writes a folder for each class. */
export function writeImageFolder(folder: string, classNames: readonly string[], images: readonly StoredImage[]): void {
  for (const { bytes, label, name } of images) {
    const path = join(folder, classNames[label], name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
}

/** Writes a Parquet shard as Hugging Face does; without names, no metadata says what is what. */
export function writeParquet(
  path: string,
  images: readonly (Omit<StoredImage, "bytes"> & { readonly bytes: Uint8Array | null })[],
  { rowGroupSize = 100, classNames }: { rowGroupSize?: number; classNames?: readonly string[] } = {},
): void {
  mkdirSync(dirname(path), { recursive: true });
  const features = { image: { _type: "Image" }, label: { names: classNames, _type: "ClassLabel" } };
  parquetWriteFile({
    filename: path,
    rowGroupSize,
    schema: [
      { name: "schema", num_children: 2 },
      { name: "image", repetition_type: "OPTIONAL", num_children: 2 },
      { name: "bytes", repetition_type: "OPTIONAL", type: "BYTE_ARRAY" },
      { name: "path", repetition_type: "OPTIONAL", type: "BYTE_ARRAY", converted_type: "UTF8" },
      { name: "label", repetition_type: "OPTIONAL", type: "INT64" },
    ],
    columnData: [
      { name: "image", data: images.map(({ bytes, name }) => ({ bytes, path: name })) },
      { name: "label", data: images.map(({ label }) => BigInt(label)) },
    ],
    ...(classNames ? { kvMetadata: [{ key: "huggingface", value: JSON.stringify({ info: { features } }) }] } : {}),
  });
}

/** A tar archive in the format ustar. */
export function tarArchive(files: readonly { readonly name: string; readonly bytes: Uint8Array }[]): Buffer {
  const parts = files.flatMap(({ name, bytes }) => [
    tarHeader(name, bytes.length),
    bytes,
    new Uint8Array(-bytes.length & 511),
  ]);
  return Buffer.concat([...parts, new Uint8Array(1024)]);
}

/** A header whose type is that of a regular file unless given. */
export function tarHeader(name: string, size: number, type = "0"): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0, 100);
  header.write("0000644\0", 100);
  header.write(size.toString(8).padStart(11, "0"), 124);
  header.write(type, 156);
  header.write("ustar\x0000", 257);
  repairChecksum(header, 0);
  return header;
}

/** Gives the header at `offset` of an archive the checksum of its bytes. */
export function repairChecksum(archive: Buffer, offset: number): void {
  archive.fill(0x20, offset + 148, offset + 156);
  const sum = archive.subarray(offset, offset + 512).reduce((total, byte) => total + byte, 0);
  archive.write(`${sum.toString(8).padStart(6, "0")}\0`, offset + 148);
}

/** Writes a tar shard as webdataset reads them. */
export function writeTar(path: string, images: readonly StoredImage[]): void {
  mkdirSync(dirname(path), { recursive: true });
  const files = images.flatMap(({ bytes, label, name }) => [
    { name, bytes },
    { name: name.replace(/\.[^.]*$/, ".cls"), bytes: Buffer.from(`${label}\n`) },
  ]);
  writeFileSync(path, tarArchive(files));
}
