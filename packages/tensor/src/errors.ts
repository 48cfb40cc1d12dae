/**
 * The errors of this package and their one format: what failed (op and layer path), the facts,
 * what was expected, one thing to try, and the user's call site.
 */

/** The parts of an error message, in reading order. */
export interface ErrorParts {
  /** Op or function that failed, e.g. `matmul`. */
  readonly what: string;
  /** Layer path, when inside a module. */
  readonly path?: string | undefined;
  /** The facts, e.g. named shapes. */
  readonly facts: string;
  /** What was expected instead. */
  readonly expected?: string;
  /** One thing to try. */
  readonly hint?: string;
  /** Where the user called. */
  readonly site?: string | undefined;
}

function format({ what, path, facts, expected, hint, site }: ErrorParts): string {
  const head = path ? `${what} in "${path}"` : what;
  const parts = [`${head}: ${facts}.`];
  if (expected) parts.push(`Expected ${expected}.`);
  if (hint) parts.push(`${hint}.`);
  if (site) parts.push(`at ${site}`);
  return parts.join(" ");
}

/** Base of every error this package raises on purpose. */
export class GuidanceError extends Error {
  readonly parts: ErrorParts;

  constructor(parts: ErrorParts) {
    super(format(parts));
    this.parts = parts;
    this.name = new.target.name;
  }
}

/** Shapes or dtypes that do not fit an op; raised while tracing, never from a device. */
export class ShapeError extends GuidanceError {}
/** A gradient that does not exist or is asked for wrongly. */
export class GradientError extends GuidanceError {}
/** A rule of tracing was broken, e.g. a tensor of another trace was used. */
export class TraceError extends GuidanceError {}
/** A plan or tensor does not fit the device or the memory budget. */
export class LimitError extends GuidanceError {}
/** Values given from the host do not fit the declared tensor. */
export class ValueError extends GuidanceError {}
/** A backend was used wrongly: closed, lost, or mixed with another. */
export class BackendError extends GuidanceError {}
/** The device went away by itself: its driver was reset, updated or unplugged. What lived there is gone. */
export class DeviceLostError extends BackendError {}

/** `[2, 3]` as users read it. */
export function formatShape(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}
