// What the smoke test runs inside the page: opens the browser's own adapter and trains a small network on it.

import { createBackend, openDevice } from "@guidance/shaders";
import { trainSmallNetwork } from "../support/small-network.ts";

export interface Report {
  /** The adapter, in one line. */
  readonly adapter: string;
  /** The loss before each step. */
  readonly losses: number[];
}

/** Steps to train: the last loss depends on every kernel of the steps before it. */
export const steps = 5;

export default async function program(): Promise<Report> {
  const opened = await openDevice();
  const backend = createBackend(opened);
  const losses = await trainSmallNetwork(backend, steps);
  await backend.close();
  return { adapter: opened.description, losses };
}
