/**
 * Parquet shards of a data set from the Hugging Face Hub, into a folder that {@link openImageData} opens.
 *
 * The list of files comes from Hugging Face's own library, and the files with the user's token, since data sets such as
 * ImageNet are given only to those who accepted their terms.
 */

import { join } from "node:path";
import { DataError } from "../errors.ts";
import { type FetchFileOptions, fetchFile, RefusedError, type RemoteFile, reasonOf } from "./hub-file.ts";
import { type SplitName, splitOfShard } from "./splits.ts";

/** What is fetched from the Hugging Face Hub, and where to. */
export interface FetchShardsOptions extends Pick<FetchFileOptions, "signal" | "retryDelay"> {
  /** Where the files are kept. */
  readonly folder: string;
  /** The user's access token; that of the environment variable HF_TOKEN unless given. */
  readonly token?: string | undefined;
  /** Branch, tag or commit; main unless given. */
  readonly revision?: string;
  /** Splits to fetch; training and validation unless given. */
  readonly splits?: readonly SplitName[];
  /** The server; that of the environment variable HF_ENDPOINT, else https://huggingface.co, unless given. */
  readonly hubUrl?: string;
  /** Told how much there is of all files together, as it comes. */
  readonly progress?: (progress: {
    readonly file: string;
    readonly bytes: number;
    readonly totalBytes: number;
  }) => void;
}

/** A shard in the repository. */
interface Shard extends RemoteFile {
  readonly path: string;
}

/**
 * Fetches the Parquet shards of `dataset` (e.g. `ILSVRC/imagenet-1k`), going on where an earlier call left off; the paths of
 * the files. Throws DataError where access is not granted, nothing is found or a file cannot be had whole.
 */
export async function fetchShards(dataset: string, options: FetchShardsOptions): Promise<string[]> {
  const { folder, token = process.env.HF_TOKEN, progress, ...rest } = options;
  const shards = await listShards(dataset, { ...options, token });
  const totalBytes = shards.reduce((sum, { size }) => sum + size, 0);
  const headers: Record<string, string> = token ? { Authorization: `Bearer ${token}` } : {};
  const paths: string[] = [];
  let before = 0;
  for (const shard of shards) {
    const path = join(folder, shard.path);
    const report = (bytes: number) => progress?.({ file: shard.path, bytes: before + bytes, totalBytes });
    const { signal, retryDelay } = rest;
    await fetchFile(shard, path, {
      headers,
      progress: report,
      ...(signal ? { signal } : {}),
      ...(retryDelay === undefined ? {} : { retryDelay }),
    }).catch((error: Error) => {
      throw error instanceof RefusedError ? refused(dataset, error.status, token) : error;
    });
    report(shard.size);
    before += shard.size;
    paths.push(path);
  }
  return paths;
}

/** As Hugging Face's own programs have it. */
function hubOfEnvironment(): string {
  const url = process.env.HF_ENDPOINT || "https://huggingface.co";
  if (/^https?:/.test(url) && URL.canParse(url)) return url.replace(/\/+$/, "");
  throw new DataError({ what: "HF_ENDPOINT", facts: `it is "${url}"`, expected: "an address that begins with http" });
}

async function listShards(
  dataset: string,
  { token, revision = "main", splits = ["train", "validation"], hubUrl = hubOfEnvironment() }: FetchShardsOptions,
): Promise<Shard[]> {
  // Loaded only where something is fetched: it is 5 MB of code for many other things.
  const { listFiles } = await import("@huggingface/hub");
  const shards: Shard[] = [];
  let files = 0;
  try {
    const repo = { type: "dataset", name: dataset } as const;
    const access = token ? { accessToken: token } : {};
    for await (const { type, path, size, lfs } of listFiles({ repo, recursive: true, revision, hubUrl, ...access })) {
      files++;
      const parts = path.split("/");
      const split = splitOfShard(parts[parts.length - 1], parts[parts.length - 2] ?? "");
      if (type !== "file" || !path.endsWith(".parquet") || !split || !splits.includes(split)) continue;
      // A path leads to a file below the folder, whatever a server says.
      if (parts.some((part) => part === "" || part === "." || part === ".." || part.includes("\\"))) continue;
      const url = `${hubUrl}/datasets/${dataset}/resolve/${encodeURIComponent(revision)}/${parts.map(encodeURIComponent).join("/")}`;
      shards.push({ path, url, size: lfs?.size ?? size, ...(lfs ? { sha256: lfs.oid } : {}) });
    }
  } catch (error) {
    const { statusCode } = error as { statusCode?: number };
    if (statusCode !== undefined) throw refused(dataset, statusCode, token);
    throw new DataError({
      what: `data set "${dataset}"`,
      facts: `its files cannot be listed (${reasonOf(error as Error)})`,
      hint: "Check the connection to the network",
    });
  }
  if (shards.length > 0) return shards;
  throw new DataError({
    what: `data set "${dataset}"`,
    facts: `none of its ${files} files is a Parquet shard of ${splits.join(" or ")}`,
    expected: "files such as data/train-00000-of-00294.parquet",
  });
}

function refused(dataset: string, status: number, token: string | undefined): DataError {
  const denied = status === 401 || status === 403;
  return new DataError({
    what: `data set "${dataset}"`,
    facts: `the server answers ${status}${denied ? `, ${token ? "with the given token" : "and no token is given"}` : ""}`,
    expected: "a data set that may be read",
    hint: denied
      ? `Accept the terms on https://huggingface.co/datasets/${dataset} and set HF_TOKEN to a token of that account`
      : "Check the name of the data set and the revision",
  });
}
