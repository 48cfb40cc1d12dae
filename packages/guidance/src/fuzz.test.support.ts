/** What every reader keeps to, whatever a small file says: it is quick, and takes no memory for what is not there. */
import { getHeapStatistics } from "node:v8";
import { expect } from "vitest";

/** Longest time for one small file, in milliseconds, with a machine that does other things too. */
const MOST_MILLISECONDS = 2000;
/** Bytes of arrays that the readers of small files leave to be collected. */
const MOST_BYTES = 256e6;

/** Reads a file as `read` does; throws where it takes long or allocates much. */
export async function modestly(read: () => Promise<void>): Promise<void> {
  const started = performance.now();
  await read();
  expect(performance.now() - started).toBeLessThan(MOST_MILLISECONDS);
  expect(getHeapStatistics().external_memory).toBeLessThan(MOST_BYTES);
}
