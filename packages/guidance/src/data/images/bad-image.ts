import { DataError } from "../errors.ts";

/** An image that cannot be used, though its file was found: truncated, no image at all, or absurdly large. */
export class BadImageError extends DataError {
  /** Where the image came from: a path, or a shard with an offset or row. */
  readonly path: string;
  readonly reason: string;

  constructor(path: string, reason: string) {
    super({ what: `image "${path}"`, facts: reason, hint: "Replace or remove it, or leave bad images out" });
    this.path = path;
    this.reason = reason;
  }
}
