/** Where we are while tracing: the layer path of the running module, and the user's call site. */

const layers: string[] = [];

/** Runs `body` with `path` as the layer that new tensors belong to. */
export function withLayer<T>(path: string, body: () => T): T {
  layers.push(path);
  try {
    return body();
  } finally {
    layers.pop();
  }
}

/** The layer that owns the Variable called `name`: its path without the last part. */
export function layerOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf(".")));
}

/** Path of the innermost running layer, or "". */
export function currentLayer(): string {
  return layers[layers.length - 1] ?? "";
}

const ownFolder = import.meta.url.slice(0, import.meta.url.lastIndexOf("/"));

const noSite = new Error("made by the compiler");
/** The site of all that is made now. */
let given: Error | undefined;

function withSite<T>(site: Error, body: () => T): T {
  const before = given;
  given = site;
  try {
    return body();
  } finally {
    given = before;
  }
}

/** Runs `body`, whose tensors are made by the compiler and need no call site (capturing one takes microseconds). */
export function withoutSites<T>(body: () => T): T {
  return withSite(noSite, body);
}

/** Runs `body`, a function of many ops, whose tensors all have the call site of the function. */
export function withOneSite<T>(body: () => T): T {
  return withSite(captureSite(), body);
}

/** Frames of a captured stack: a call through nested containers has a few for each, and the user's is below them. */
const SITE_FRAMES = 40;

/** V8 and others cut stacks short; engines that do not ignore the property. */
const engine = Error as { stackTraceLimit?: number | undefined };

/** An unformatted stack; `describeSite` formats it only when an error needs it. */
export function captureSite(): Error {
  if (given) return given;
  const limit = engine.stackTraceLimit;
  engine.stackTraceLimit = SITE_FRAMES;
  const site = new Error();
  engine.stackTraceLimit = limit;
  return site;
}

/** `file:line:column` of the first frame outside this package, or undefined. */
export function describeSite(site: Error): string | undefined {
  const folder = ownFolder.replace(/^file:\/\//, "");
  const frames = (site.stack ?? "").split("\n").slice(1);
  const frame = frames.find(
    (line) => !line.includes(folder) && !line.includes("node:internal") && /:\d+:\d+/.test(line),
  );
  return frame
    ?.replace(/^\s*at\s+/, "")
    .replace(/^.*\((.*)\)$/, "$1")
    .replace(/^(async )?file:\/\//, "");
}
