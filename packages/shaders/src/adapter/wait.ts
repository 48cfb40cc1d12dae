// Dawn in Node polls for completion from the event loop for as long as a promise of its is pending, which keeps one core
// busy doing nothing: a core the software drivers would rather use. Sleeping a moment in every turn of the loop gives
// that core back, at the price of up to one millisecond of latency at the end of a long wait.

import { inNode } from "./environment.ts";

/** First pause: about the time of a small readback, so that short waits stay short. */
const shortestPause = 0.02;
/** Longest pause: still small beside a step that is worth waiting for. */
const longestPause = 1;

let waiting = 0;
let sleeping = false;
let pause = shortestPause;

/**
 * Sleeps in every turn of the event loop while anyone waits; several waiters share the one sleeper, and so does a wait
 * that begins before the sleeper has noticed the end of the last.
 */
async function sleepBetweenTurns(): Promise<void> {
  if (sleeping) return;
  sleeping = true;
  const cell = new Int32Array(new SharedArrayBuffer(4));
  while (waiting > 0) {
    Atomics.wait(cell, 0, 0, pause);
    pause = Math.min(pause * 1.5, longestPause);
    await new Promise((resolve) => setImmediate(resolve));
  }
  sleeping = false;
}

/**
 * Awaits a promise of WebGPU without keeping a core busy.
 *
 * @param promise what `mapAsync`, `onSubmittedWorkDone` and the like return
 * @returns what the promise resolves with; in a browser this is a plain await
 * @throws what the promise rejects with
 */
export async function waitQuietly<T>(promise: Promise<T>): Promise<T> {
  if (!inNode()) return promise;
  pause = shortestPause;
  waiting += 1;
  void sleepBetweenTurns();
  try {
    return await promise;
  } finally {
    waiting -= 1;
  }
}
