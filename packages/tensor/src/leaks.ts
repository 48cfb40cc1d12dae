/**
 * Reports by name what was dropped without being closed. Only a report: a FinalizationRegistry runs too
 * late and too rarely to be the memory model.
 */
interface Closable {
  close(): void;
}

const registry = new FinalizationRegistry<{ what: string; owner: Closable; state: { closed: boolean } }>(
  ({ what, owner, state }) => {
    if (state.closed) return;
    console.warn(`${what} was dropped without close(): its memory is freed now, much later than it could have been`);
    owner.close();
  },
);

/** Warns (and closes `owner`) when `target` is collected before `owner.close()` was called. */
export function reportIfDropped(target: object, what: string, owner: Closable): void {
  const state = { closed: false };
  const close = owner.close.bind(owner);
  owner.close = () => {
    state.closed = true;
    close();
  };
  registry.register(target, { what, owner, state });
}
