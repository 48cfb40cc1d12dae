/**
 * Encoded images (JPEG, PNG, ...) of one split, readable by index.
 *
 * A folder of files, Parquet shards and tar shards differ in how bytes are found; what decodes them needs not know.
 */

/** The greatest label that is believed; a damaged file may hold any number, and each class takes memory. */
export const GREATEST_LABEL = 999_999;

/** Images of one split as they are stored, and their labels. */
export interface EncodedImages {
  /** Name in messages and reports, e.g. `imagenet train`. */
  readonly name: string;
  /** Number of images. */
  readonly count: number;
  /** What the classes are called, by label. */
  readonly classNames: readonly string[];
  /** Class of an image; -1 where the data set keeps it secret, as that of ImageNet's test images. */
  label(index: number): number;
  /** Bytes of the file and where it came from (path, or shard and offset or row), for messages. */
  read(index: number): Promise<{ readonly bytes: Uint8Array; readonly path: string }>;
  /** Sizes of runs of neighbouring images that are cheap to read together (row groups); absent: all alike. */
  readonly groups?: readonly number[];
  /** What is known of the images without reading them (paths, sizes), hashed; a part of the hash of their source. */
  readonly fingerprint?: string;
  /** Closes files; reads under way may fail. */
  close(): Promise<void>;
}
