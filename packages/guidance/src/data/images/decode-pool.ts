/**
 * Threads that decode, and the queue before them.
 *
 * Jobs are served in the order they were given. The bytes of a job are read when a thread has room for it, so that a long
 * queue holds no images; each thread has a few jobs at a time, one being resized while others are read or decoded.
 * Decoding itself runs on libuv's threads, four for the whole process unless UV_THREADPOOL_SIZE says more.
 */

import { availableParallelism } from "node:os";
import type { Worker } from "node:worker_threads";
import { DataError } from "../errors.ts";
import { BadImageError } from "./bad-image.ts";
import type { DecodeJob, DecodeReply } from "./decode-job.ts";
import { startDecodeThread } from "./decode-thread.ts";

/** Jobs a thread has at a time: one read, one decoded, one resized. */
const JOBS_PER_THREAD = 3;

/** An image to decode: how to read it, and what to make of it. */
export interface DecodeRequest extends Pick<DecodeJob, "transform" | "key"> {
  /** The file's bytes, and where they came from. */
  read(): Promise<{ readonly bytes: Uint8Array; readonly path: string }>;
  /** Once it is aborted, the request is dropped from the queue. */
  readonly signal: AbortSignal;
}

interface Waiting {
  readonly request: DecodeRequest;
  readonly resolve: (image: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  readonly worker: Worker;
  /** Jobs it has, by id, their bytes still being read included. */
  readonly jobs: Map<number, Waiting & { path: string }>;
}

/** The number of threads unless given: one core is left to training. */
export function defaultDecodeThreads(): number {
  return Math.max(1, availableParallelism() - 1);
}

/** Threads that decode for any number of sources; they start with the first request. */
export class DecodePool {
  readonly #size: number;
  readonly #queue: Waiting[] = [];
  #threads: Promise<Thread[]> | undefined;
  #failure: Error | undefined;
  #closing = false;
  #nextId = 0;
  #users = 0;

  /** `size` threads; throws DataError for fewer than 1. */
  constructor(size = defaultDecodeThreads()) {
    if (!Number.isInteger(size) || size < 1) {
      throw new DataError({
        what: "decoding threads",
        facts: `there are ${size}`,
        expected: "a whole number of at least 1",
      });
    }
    this.#size = size;
  }

  /** The image a request asks for, of shape [3, size, size]; throws BadImageError, and the signal's reason once aborted. */
  run(request: DecodeRequest): Promise<Uint8Array> {
    if (this.#failure) return Promise.reject(this.#failure);
    this.#threads ??= this.#start();
    return new Promise((resolve, reject) => {
      this.#queue.push({ request, resolve, reject });
      this.#threads?.then(
        (threads) => this.#feed(threads),
        (error: Error) => this.#fail(error),
      );
    });
  }

  /** Counts a user, whose {@link release} ends the threads if it is the last. */
  retain(): void {
    this.#users++;
  }

  async release(): Promise<void> {
    if (--this.#users === 0) await this.close();
  }

  /** Ends the threads; requests under way and later ones fail. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#fail(new DataError({ what: "decoding threads", facts: "they were closed" }));
    const threads = (await this.#threads?.catch(() => [])) ?? [];
    await Promise.all(
      threads.map(({ worker }) => {
        // a process with nothing else to wait for would end before its threads have
        worker.ref();
        return worker.terminate();
      }),
    );
  }

  async #start(): Promise<Thread[]> {
    const workers = await Promise.all(Array.from({ length: this.#size }, startDecodeThread));
    return workers.map((worker) => {
      const thread: Thread = { worker, jobs: new Map() };
      // A thread keeps the process alive only while it has jobs.
      worker.unref();
      worker.on("message", (reply: DecodeReply) => this.#finish(thread, reply));
      worker.on("error", (error) => this.#crash(thread, error.message));
      worker.on("exit", (code) => this.#crash(thread, `it ended with code ${code}`));
      return thread;
    });
  }

  /** Gives waiting requests to the threads that have the most room. */
  #feed(threads: readonly Thread[]): void {
    while (this.#queue.length > 0) {
      const thread = threads.reduce((least, other) => (other.jobs.size < least.jobs.size ? other : least));
      if (thread.jobs.size >= JOBS_PER_THREAD) return;
      const waiting = this.#queue.shift()!;
      if (waiting.request.signal.aborted) waiting.reject(waiting.request.signal.reason);
      else this.#send(threads, thread, waiting);
    }
  }

  async #send(threads: readonly Thread[], thread: Thread, waiting: Waiting): Promise<void> {
    const id = this.#nextId++;
    const job = { ...waiting, path: "" };
    thread.jobs.set(id, job);
    thread.worker.ref();
    try {
      const { transform, key, read } = waiting.request;
      const { bytes, path } = await read();
      if (!thread.jobs.has(id)) return;
      job.path = path;
      // A copy is handed over: the reader may still need its own, of which the bytes are often a part.
      const copy = bytes.slice();
      thread.worker.postMessage({ id, bytes: copy, path, transform, key } satisfies DecodeJob, [copy.buffer]);
    } catch (error) {
      this.#remove(thread, id);
      waiting.reject(error as Error);
      this.#feed(threads);
    }
  }

  async #finish(thread: Thread, reply: DecodeReply): Promise<void> {
    const job = thread.jobs.get(reply.id);
    if (!job) return;
    this.#remove(thread, reply.id);
    if ("image" in reply) job.resolve(reply.image);
    else if ("bad" in reply) job.reject(new BadImageError(job.path, reply.bad));
    else job.reject(new DataError({ what: `image "${job.path}"`, facts: `decoding it failed: ${reply.error}` }));
    this.#feed((await this.#threads) ?? []);
  }

  #remove(thread: Thread, id: number): void {
    // of a thread that is being ended, which must be waited for, the jobs are gone already
    if (thread.jobs.delete(id) && thread.jobs.size === 0) thread.worker.unref();
  }

  #crash(thread: Thread, reason: string): void {
    const paths = [...thread.jobs.values()].map(({ path }) => path).filter(Boolean);
    const during = paths.length > 0 ? ` while it had ${paths.map((path) => `"${path}"`).join(", ")}` : "";
    this.#fail(new DataError({ what: "decoding thread", facts: `${reason}${during}` }));
  }

  /** Refuses everything from now on; what waits and what is under way fails. */
  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#queue.splice(0)) reject(this.#failure);
    this.#threads?.then(
      (threads) => {
        for (const { worker, jobs } of threads) {
          for (const { reject } of jobs.values()) reject(this.#failure!);
          jobs.clear();
          if (!this.#closing) worker.unref();
        }
      },
      () => {},
    );
  }
}
