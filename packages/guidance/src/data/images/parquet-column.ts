/**
 * The values of one column chunk of a Parquet file.
 *
 * A chunk is a row of pages: first perhaps a dictionary, then values, plain or as indices into it, with a level for each
 * that says whether it is null. hyparquet reads footers and page headers, but its decoder of pages trusts their counts: a
 * damaged one can keep it busy for ever. Here every count is held against what is left before it is used. What writers
 * of images use is read: columns that are not repeated, plain and dictionary encoding, pages of both versions.
 *
 * Source: Apache Parquet, "Data Pages", "Encodings".
 */

import type { ColumnMetaData, Compressors, PageHeader, SchemaElement } from "hyparquet";
import { readHybrid } from "./parquet-levels.ts";

/** A value: bytes or a whole number, or undefined for null. */
export type ParquetValue = Uint8Array | number | undefined;

/** What is needed to read a chunk besides its bytes. */
export interface ColumnFormat {
  readonly column: Pick<ColumnMetaData, "codec" | "type">;
  /** The column in the schema, its ancestors first, without the root. */
  readonly path: readonly SchemaElement[];
  readonly rows: number;
  readonly compressors: Compressors;
  /** Reads the header of a page (hyparquet's `parquetHeader`). */
  readonly readHeader: (reader: { view: DataView; offset: number }) => PageHeader;
}

/** Bytes that a page may have when it is decompressed: Parquet counts them with 31 bits. */
const LARGEST_PAGE = 2 ** 31 - 1;

/** The value of each row; throws Error or RangeError for what is damaged, or encoded in a way that is not read here. */
export function readColumnChunk(bytes: Uint8Array, format: ColumnFormat): ParquetValue[] {
  const { rows, readHeader } = format;
  if (format.path.some(({ repetition_type: type }) => type === "REPEATED")) throw new Error("the column is repeated");
  const values: ParquetValue[] = [];
  let dictionary: ParquetValue[] = [];
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
  while (values.length < rows) {
    const header = readHeader(reader);
    const size = header.compressed_page_size;
    if (!(size >= 0 && reader.offset + size <= bytes.length)) {
      throw new RangeError(`a page of ${size} bytes begins ${bytes.length - reader.offset} before the end`);
    }
    const page = bytes.subarray(reader.offset, reader.offset + size);
    reader.offset += size;
    if (header.type === "DICTIONARY_PAGE") {
      const count = header.dictionary_page_header?.num_values ?? -1;
      dictionary = readPlain(decompress(page, header.uncompressed_page_size, format), count, format);
    } else if (header.type === "DATA_PAGE" || header.type === "DATA_PAGE_V2") {
      for (const value of readDataPage(page, header, dictionary, rows - values.length, format)) values.push(value);
    }
  }
  return values;
}

/** Where a page's levels and values are, whichever version it is of. */
interface PageParts {
  readonly count: number;
  readonly encoding: string;
  readonly levels: Uint8Array;
  readonly values: Uint8Array;
}

/** The values of a page, of which there may be `limit`. */
function readDataPage(
  page: Uint8Array,
  header: PageHeader,
  dictionary: readonly ParquetValue[],
  limit: number,
  format: ColumnFormat,
): ParquetValue[] {
  const { count, encoding, levels, values } = splitPage(page, header, limit, format);
  const deepest = deepestLevel(format);
  const defined = deepest > 0 ? readHybrid(levels, 32 - Math.clz32(deepest), count) : undefined;
  const isDefined = (place: number): boolean => !defined || defined[place] === deepest;
  let present = 0;
  for (let place = 0; place < count; place++) if (isDefined(place)) present++;
  const given = readValues(values, encoding, present, dictionary, format);
  let next = 0;
  return Array.from({ length: count }, (_, place) => (isDefined(place) ? given[next++] : undefined));
}

/** Level of a value that is there: one for each part of its path that may be null. */
function deepestLevel({ path }: ColumnFormat): number {
  return path.filter(({ repetition_type: type }) => type === "OPTIONAL").length;
}

function splitPage(page: Uint8Array, header: PageHeader, limit: number, format: ColumnFormat): PageParts {
  const checked = (count: number): number => {
    if (count >= 0 && count <= limit) return count;
    throw new RangeError(`a page announces ${count} values where ${limit} are left`);
  };
  const { data_page_header: v1, data_page_header_v2: v2 } = header;
  if (v2) {
    const levelBytes = v2.repetition_levels_byte_length + v2.definition_levels_byte_length;
    if (!(v2.repetition_levels_byte_length >= 0 && levelBytes >= 0 && levelBytes <= page.length)) {
      throw new RangeError(`a page of ${page.length} bytes announces ${levelBytes} of levels`);
    }
    const rest = page.subarray(levelBytes);
    const values =
      v2.is_compressed === false ? rest : decompress(rest, header.uncompressed_page_size - levelBytes, format);
    return {
      count: checked(v2.num_values),
      encoding: v2.encoding,
      levels: page.subarray(v2.repetition_levels_byte_length, levelBytes),
      values,
    };
  }
  if (!v1) throw new Error("a page has no header of its kind");
  const whole = decompress(page, header.uncompressed_page_size, format);
  const count = checked(v1.num_values);
  if (deepestLevel(format) === 0) return { count, encoding: v1.encoding, levels: new Uint8Array(), values: whole };
  // Levels have their length before them.
  const view = new DataView(whole.buffer, whole.byteOffset, whole.byteLength);
  const end = 4 + view.getUint32(0, true);
  if (end > whole.length) throw new RangeError(`a page of ${whole.length} bytes announces ${end - 4} of levels`);
  return { count, encoding: v1.encoding, levels: whole.subarray(4, end), values: whole.subarray(end) };
}

function readValues(
  bytes: Uint8Array,
  encoding: string,
  count: number,
  dictionary: readonly ParquetValue[],
  format: ColumnFormat,
): ParquetValue[] {
  if (encoding === "PLAIN") return readPlain(bytes, count, format);
  if (encoding !== "RLE_DICTIONARY" && encoding !== "PLAIN_DICTIONARY") {
    throw new Error(`the encoding ${encoding} is not read here; write the file with plain or dictionary encoding`);
  }
  if (count === 0) return [];
  // The first byte is the number of bits of an index.
  const indices = readHybrid(bytes.subarray(1), bytes[0] ?? 0, count);
  return Array.from(indices, (index) => {
    if (index < dictionary.length) return dictionary[index];
    throw new RangeError(`index ${index} into a dictionary of ${dictionary.length}`);
  });
}

/** `count` values one after the other; byte arrays have their length before them. */
function readPlain(bytes: Uint8Array, count: number, { column: { type } }: ColumnFormat): ParquetValue[] {
  const width = type === "INT64" ? 8 : 4;
  if (!(count >= 0 && count * width <= bytes.length)) throw new RangeError(`${count} values in ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (type === "INT32") return Array.from({ length: count }, (_, place) => view.getInt32(place * 4, true));
  if (type === "INT64") return Array.from({ length: count }, (_, place) => Number(view.getBigInt64(place * 8, true)));
  if (type !== "BYTE_ARRAY") throw new Error(`values of type ${type} are not read here`);
  let end = 0;
  return Array.from({ length: count }, () => {
    const begin = end + 4;
    end = begin + view.getUint32(end, true);
    if (end > bytes.length)
      throw new RangeError(`a value of ${end - begin} bytes, and ${bytes.length - begin} are left`);
    return bytes.subarray(begin, end);
  });
}

function decompress(page: Uint8Array, size: number, { column: { codec }, compressors }: ColumnFormat): Uint8Array {
  if (codec === "UNCOMPRESSED") return page;
  if (!(size >= 0 && size <= LARGEST_PAGE)) throw new RangeError(`a page announces ${size} bytes`);
  if (size === 0) return new Uint8Array();
  const decompressor = compressors[codec];
  if (!decompressor) throw new Error(`the compression ${codec} is not read here`);
  const whole = decompressor(page, size);
  if (whole.length === size) return whole;
  throw new RangeError(`a page has ${whole.length} bytes instead of ${size}`);
}
