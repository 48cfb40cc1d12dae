/**
 * Reports by name what was dropped without being closed. Only a report: a FinalizationRegistry runs too
 * late and too rarely to be the memory model.
 */
interface Closable {
  readonly isOpen: boolean;
  close(): void;
}

interface Dropped {
  readonly what: string;
  readonly owner: Closable;
}

const registry = new FinalizationRegistry<Dropped>(({ what, owner }) => {
  if (!owner.isOpen) return;
  console.warn(`${what} was dropped without close(): its memory is freed now, much later than it could have been`);
  owner.close();
});

/** Warns (and closes `owner`) when `target` is collected while `owner` is open; `owner` must not hold `target`. */
export function reportIfDropped(target: object, what: string, owner: Closable): void {
  registry.register(target, { what, owner });
}
