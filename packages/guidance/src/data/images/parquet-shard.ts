/**
 * One Parquet file of images, as Hugging Face's `datasets` writes them.
 *
 * An image is a struct of the file's bytes and its former path, a label a whole number. Which columns they are, and what
 * the classes are called, is in the file's metadata under the key "huggingface"; without it the columns are known by
 * their types. Rows lie in groups, which are read and decompressed as a whole.
 *
 * Source: Hugging Face's documentation of `datasets.Features`, `Image` and `ClassLabel`; Apache Parquet, "File format".
 */

import type { AsyncBuffer, ColumnMetaData, Compressors, FileMetaData } from "hyparquet";
import { GREATEST_LABEL } from "./encoded.ts";
import { FileReader } from "./file-reader.ts";
import { type ParquetValue, readColumnChunk } from "./parquet-column.ts";

/** An image of a row group: its bytes, none where the row has no image. */
export type RowBytes = Uint8Array | undefined;

/** Rows of one group. */
export interface RowGroup {
  readonly index: number;
  /** Index of its first row in the shard. */
  readonly start: number;
  readonly rows: number;
  /** Where it begins in the file. */
  readonly offset: number;
}

/** An open shard. */
export interface ParquetShard {
  readonly file: FileReader;
  readonly groups: readonly RowGroup[];
  /** Class of each row. */
  readonly labels: Int32Array;
  /** What the classes are called, where the file says so. */
  readonly classNames: readonly string[] | undefined;
  /** The images of a group, in the order of its rows. */
  readGroup(group: RowGroup): Promise<RowBytes[]>;
}

/** Opens the shard at `path` and reads its labels; throws DataError with the offset of what is truncated or damaged. */
export async function openParquetShard(path: string): Promise<ParquetShard> {
  const file = await FileReader.open(path);
  try {
    return await readShard(file);
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readShard(file: FileReader): Promise<ParquetShard> {
  // Loaded only where there is something to read: with all decompressors it is no small code.
  const { parquetMetadataAsync } = await import("hyparquet");
  const buffer: AsyncBuffer = {
    byteLength: file.size,
    slice: async (start, end = file.size) => (await file.read(start, end - start)).buffer,
  };
  if (file.size < 12) throw file.fault(0, `it has ${file.size} bytes, too few for Parquet`);
  const metadata = await parquetMetadataAsync(buffer).catch((error: Error) => {
    throw file.fault(file.size - 8, `the footer cannot be read (${error.message})`);
  });
  const groups = checkGroups(file, metadata);
  const columns = findColumns(file, metadata);
  const readLabels = await columnReader(file, metadata, [columns.label]);
  const labels = new Int32Array(groups.reduce((sum, { rows }) => sum + rows, 0));
  for (const group of groups) {
    for (const [row, value] of (await readLabels(group)).entries()) {
      if (!(Number.isInteger(value) && (value as number) >= -1 && (value as number) <= GREATEST_LABEL)) {
        throw file.fault(group.offset, `the label of row ${group.start + row} is ${value}, no number of a class`);
      }
      labels[group.start + row] = value as number;
    }
  }
  const readImages = await columnReader(file, metadata, [columns.image, "bytes"]);
  return {
    file,
    groups,
    labels,
    classNames: columns.classNames,
    readGroup: async (group) => (await readImages(group)) as RowBytes[],
  };
}

/** Reads one column of any row group; throws DataError with the offset of what is damaged. */
async function columnReader(
  file: FileReader,
  { schema, row_groups: groups }: FileMetaData,
  path: readonly string[],
): Promise<(group: RowGroup) => Promise<ParquetValue[]>> {
  const { parquetHeader } = await import("hyparquet/src/column.js");
  const { compressors } = (await import("hyparquet-compressors")) as { compressors: Compressors };
  const elements = path.map((name, depth) => {
    // A column of one name stands alone; that of two is a member of the struct before it.
    const from = depth === 0 ? 0 : schema.findIndex((element) => element.name === path[0]);
    return schema.find((element, at) => at > from && element.name === name)!;
  });
  return async ({ index, rows }) => {
    const column = groups[index].columns.find(
      ({ meta_data: meta }) => meta?.path_in_schema.join("\0") === path.join("\0"),
    );
    const { first, size } = chunkPlace(column?.meta_data);
    if (!column?.meta_data) throw file.fault(file.size, `row group ${index} has no column ${path.join(".")}`);
    const bytes = await file.read(first, size);
    try {
      return readColumnChunk(bytes, {
        column: column.meta_data,
        path: elements,
        rows,
        compressors,
        readHeader: parquetHeader,
      });
    } catch (error) {
      throw file.fault(
        first,
        `column ${path.join(".")} of row group ${index} cannot be read (${(error as Error).message})`,
      );
    }
  };
}

/** Where a column chunk lies in the file; a place before all for one that is not described. */
function chunkPlace(column: ColumnMetaData | undefined): { first: number; size: number } {
  const first = Number(column?.dictionary_page_offset ?? 0) || Number(column?.data_page_offset ?? -1);
  return { first, size: Number(column?.total_compressed_size ?? -1) };
}

/** The row groups, once their places and sizes are known to lie within the file. */
function checkGroups(file: FileReader, metadata: FileMetaData): RowGroup[] {
  let start = 0;
  const groups = (metadata.row_groups ?? []).map((group, index) => {
    const rows = Number(group.num_rows);
    const places = group.columns.map(({ meta_data: column }) => {
      const { first, size } = chunkPlace(column);
      if (!(first >= 4 && size >= 0 && first + size <= file.size)) {
        throw file.fault(first, `row group ${index} has ${size} bytes, and the file ends at ${file.size}`);
      }
      return first;
    });
    // A row takes some bits at least, even of a column that has one value throughout.
    if (!(rows >= 0 && rows <= file.size * 8)) throw file.fault(file.size, `row group ${index} has ${rows} rows`);
    const read = { index, start, rows, offset: places.reduce((least, place) => Math.min(least, place), file.size) };
    start += rows;
    return read;
  });
  if (start !== Number(metadata.num_rows)) {
    throw file.fault(file.size, `the footer counts ${metadata.num_rows} rows and its row groups ${start}`);
  }
  return groups;
}

interface Columns {
  readonly image: string;
  readonly label: string;
  readonly classNames: readonly string[] | undefined;
}

/** A column as Hugging Face describes it. */
interface Feature {
  readonly _type?: string;
  readonly names?: readonly string[];
}

/** Which columns are the images and the labels. */
function findColumns(file: FileReader, { schema, key_value_metadata: pairs = [] }: FileMetaData): Columns {
  const features = Object.entries(readFeatures(pairs.find(({ key }) => key === "huggingface")?.value));
  const typed = (type: string) => features.find(([, feature]) => feature?._type === type)?.[0];
  // The schema lists the tree depth first: an image is a struct that is followed by its two members.
  const struct = schema.findIndex(
    ({ num_children: children }, at) =>
      at > 0 &&
      children === 2 &&
      ["bytes", "path"].every((name) => [schema[at + 1], schema[at + 2]].some((s) => s?.name === name)),
  );
  const image = typed("Image") ?? schema[struct]?.name;
  const label =
    typed("ClassLabel") ?? schema.find(({ name, type }) => name === "label" && type?.startsWith("INT"))?.name;
  if (image === undefined || label === undefined) {
    const names = schema.slice(1).map(({ name }) => name);
    throw file.fault(
      file.size,
      `no column is known to be the ${image === undefined ? "image" : "label"} among ${names.join(", ")}`,
    );
  }
  const names = features.find(([name]) => name === label)?.[1].names;
  return { image, label, classNames: Array.isArray(names) ? names.map(String) : undefined };
}

function readFeatures(text: string | undefined): Record<string, Feature> {
  try {
    return JSON.parse(text ?? "{}").info?.features ?? {};
  } catch {
    return {};
  }
}
