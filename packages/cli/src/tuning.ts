/**
 * What `guidance tune` found for a device, in the user's cache folder (or GUIDANCE_CACHE): one file an adapter and driver. It is used by every
 * later run on that device; a run keeps a copy of what it used, and goes on with that when it is resumed.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { encodeJson, type JsonObject, RunError, readSealed, type SealFormat, writeSealed } from "@guidance/guidance";
import type { OpenedDevice } from "@guidance/shaders";

/** Kernel key -> the alternative to take. */
export type Choices = ReadonlyMap<string, string>;

/** Its version is raised whenever keys or alternatives change their meaning. */
const FORMAT: SealFormat = { name: "tuning", version: 2, hint: "Run guidance tune again" };

function cacheFolder(): string {
  const { GUIDANCE_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (GUIDANCE_CACHE) return join(GUIDANCE_CACHE, "tuning");
  const base =
    process.platform === "win32"
      ? (LOCALAPPDATA ?? join(homedir(), "AppData", "Local"))
      : process.platform === "darwin"
        ? join(homedir(), "Library", "Caches")
        : (XDG_CACHE_HOME ?? join(homedir(), ".cache"));
  return join(base, "guidance", "tuning");
}

function identityOf({ kind, info, description }: OpenedDevice): JsonObject {
  const { vendor, architecture, device } = info;
  return { kind, vendor, architecture, device, description };
}

/** Where the choices of a device are. */
export function tuningFile(opened: OpenedDevice): string {
  const hash = createHash("sha256")
    .update(encodeJson(identityOf(opened)))
    .digest("hex");
  return join(cacheFolder(), `${hash.slice(0, 16)}.json`);
}

/** Choices as they lie in JSON. Throws where they are something else. */
export function toChoices(value: unknown): Choices {
  const entries = Object.entries((value ?? {}) as Record<string, unknown>);
  if (!entries.every((entry): entry is [string, string] => typeof entry[1] === "string"))
    throw new Error("its choices are no table of names");
  return new Map(entries);
}

/** What was tuned for a device; nothing where nothing was, or, after saying so in one line, where the file is unusable. */
export async function readChoices(opened: OpenedDevice, warn: (line: string) => void): Promise<Choices> {
  const file = tuningFile(opened);
  if (!existsSync(file)) return new Map();
  try {
    return toChoices((await readSealed(file, FORMAT)).choices);
  } catch (error) {
    const facts = error instanceof RunError ? error.parts.facts : (error as Error).message;
    warn(`note: the tuning in "${file}" is not used (${facts}); run guidance tune again`);
    return new Map();
  }
}

export async function writeChoices(opened: OpenedDevice, choices: Choices): Promise<string> {
  const file = tuningFile(opened);
  await mkdir(cacheFolder(), { recursive: true });
  await writeSealed(file, FORMAT, { adapter: identityOf(opened), choices: Object.fromEntries([...choices].sort()) });
  return file;
}
