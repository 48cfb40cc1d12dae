/**
 * One large file over HTTP, resumably: what has arrived stays on disk, and the rest is asked for with a `Range`.
 *
 * A connection that breaks off is taken up again at once, a run that ends at its next start. The partial file's name has
 * the content's hash in it, so that it is never continued with another version; the whole is checked before it gets its
 * name.
 */

import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout } from "node:timers/promises";
import { makeFolder } from "../../run/files.ts";
import { DataError } from "../errors.ts";

/** A file to fetch. */
export interface RemoteFile {
  readonly url: string;
  /** Bytes of the whole file. */
  readonly size: number;
  /** SHA-256 of the whole file in hexadecimal digits, where it is known. */
  readonly sha256?: string;
}

export interface FetchFileOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** Told how many bytes there are, as they come. */
  readonly progress?: (bytes: number) => void;
  readonly signal?: AbortSignal;
  /** Milliseconds before the first retry, doubled for each that follows; 1000 unless given. */
  readonly retryDelay?: number;
}

/** Attempts in a row that bring nothing before it is given up. */
const ATTEMPTS = 5;

/** Answers that say no, whatever is tried again. */
const REFUSALS = [400, 401, 403, 404, 410, 451];

/** An answer that a server gives on purpose: it is final, unlike a broken connection. */
export class RefusedError extends DataError {
  readonly status: number;

  constructor(url: string, status: number) {
    super({ what: `file "${url}"`, facts: `the server answers ${status}`, expected: "200 or 206" });
    this.status = status;
  }
}

/** Fetches `file` to `path`, unless it is there with the right size; throws DataError where it cannot be had whole. */
export async function fetchFile(file: RemoteFile, path: string, options: FetchFileOptions = {}): Promise<void> {
  if ((await sizeOf(path)) === file.size) return;
  await makeFolder(dirname(path));
  const partial = `${path}.${file.sha256?.slice(0, 12) ?? file.size}.partial`;
  const { retryDelay = 1000, signal } = options;
  let failures = 0;
  for (let have = await sizeOf(partial); have !== file.size; ) {
    if (have > file.size) await rm(partial);
    try {
      await fetchRest(file, partial, await sizeOf(partial), options);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof RefusedError && REFUSALS.includes(error.status)) throw error;
      failures = (await sizeOf(partial)) > have ? 1 : failures + 1;
      if (failures >= ATTEMPTS) throw givenUp(file, partial, await sizeOf(partial), error as Error);
      await setTimeout(retryDelay * 2 ** (failures - 1), undefined, signal ? { signal } : {});
    }
    have = await sizeOf(partial);
  }
  await checkHash(file, partial);
  await rename(partial, path);
}

/** Appends what follows the first `have` bytes; throws where the connection ends before the file does. */
async function fetchRest(
  { url, size }: RemoteFile,
  partial: string,
  have: number,
  { headers, progress, signal }: FetchFileOptions,
): Promise<void> {
  const request: Record<string, string> = { ...headers, ...(have > 0 && { Range: `bytes=${have}-` }) };
  const response = await fetch(url, { headers: request, ...(signal ? { signal } : {}) });
  if (!response.ok || !response.body) throw new RefusedError(url, response.status);
  // A server that does not know ranges sends the whole file again.
  const continues = response.status === 206 && contentStart(response) === have;
  if (response.status === 206 && !continues) throw new Error("the server sent another part than was asked for");
  let bytes = continues ? have : 0;
  const body = Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]);
  body.on("data", (chunk: Uint8Array) => {
    bytes += chunk.length;
    if (bytes > size) body.destroy(new Error(`the server sends more than the ${size} bytes it announced`));
    progress?.(Math.min(bytes, size));
  });
  await pipeline(body, createWriteStream(partial, { flags: continues ? "a" : "w" }));
  if (bytes < size) throw new Error(`the connection ended after ${bytes} bytes`);
}

/** Where a part begins, from `Content-Range: bytes 100-199/200`. */
function contentStart(response: Response): number {
  return Number(/^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1] ?? Number.NaN);
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

/** Throws DataError, and removes the file so that it is fetched anew, unless its bytes are those announced. */
async function checkHash({ url, sha256 }: RemoteFile, path: string): Promise<void> {
  if (sha256 === undefined) return;
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  const found = hash.digest("hex");
  if (found === sha256) return;
  await rm(path);
  throw new DataError({
    what: `file "${url}"`,
    facts: `its SHA-256 is ${found}`,
    expected: sha256,
    hint: "It was removed; start again to fetch it anew",
  });
}

/** Why a request failed: the message of fetch is "fetch failed", and only its cause tells host and reason. */
export function reasonOf({ message, cause }: Error): string {
  if (!(cause instanceof Error)) return message;
  // a host with several addresses has an error for each, and no message of its own
  const [first = cause] = cause instanceof AggregateError ? (cause.errors as Error[]) : [];
  return `${message}: ${cause.message || first.message}`;
}

function givenUp({ url, size }: RemoteFile, partial: string, have: number, error: Error): DataError {
  return new DataError({
    what: `file "${url}"`,
    facts: `${have} of ${size} bytes are there, and ${ATTEMPTS} attempts brought no more (${reasonOf(error)})`,
    hint: `Start again later: it goes on from "${partial}"`,
  });
}
