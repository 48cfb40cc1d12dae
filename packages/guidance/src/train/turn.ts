/**
 * A turn of the event loop. A backend that computes on this thread resolves its promises without ever coming
 * back to the loop; signals, timers and the progress display wait there.
 */
export function eventLoopTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
