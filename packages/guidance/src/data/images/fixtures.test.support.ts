/** The images of test/fixtures/images, what Pillow makes of them, and Pillow itself where it is installed. */

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Pixels } from "./resize.ts";

const folder = new URL("../../../../../test/fixtures/images/", import.meta.url);

/** The JPEGs of the fixtures. */
export const jpegNames = ["cmyk", "colour", "grey", "progressive", "turned", "unsampled"].map((name) => `${name}.jpg`);

export function fixtureBytes(name: string): Buffer {
  return readFileSync(new URL(name, folder));
}

/** What make.py stores. */
interface PillowFixture {
  readonly images: readonly { readonly size: [number, number]; readonly pixels: string }[];
  readonly resized: readonly {
    readonly image: number;
    readonly crop: [left: number, top: number, width: number, height: number];
    readonly size: [width: number, height: number];
    readonly flip: boolean;
    readonly expected: string;
  }[];
  readonly centred: readonly {
    readonly image: number;
    readonly resize: number;
    readonly size: number;
    readonly expected: string;
  }[];
  readonly fallback: readonly { readonly image: [number, number]; readonly crop: [number, number, number, number] }[];
  readonly decoded: Readonly<Record<string, { readonly size: [number, number]; readonly sha256: string }>>;
}

export const pillow: PillowFixture = JSON.parse(fixtureBytes("pillow.json").toString());

export const pillowImages: readonly Pixels[] = pillow.images.map(({ size: [width, height], pixels }) => ({
  data: Buffer.from(pixels, "base64"),
  width,
  height,
}));

/** The first Python that has `module`; undefined, announced, where there is none. */
export function findPython(module: string): string | undefined {
  const script = `import importlib.util, sys; sys.exit(importlib.util.find_spec("${module}") is None)`;
  const found = ["python3", "/usr/bin/python3"].find((program) => spawnSync(program, ["-c", script]).status === 0);
  if (!found) console.warn(`NOT RUN: no python3 has ${module}; only stored results were compared`);
  return found;
}

/** What a Python script prints as JSON, given `input` as JSON. */
export function runPython<T>(program: string, script: string, input: unknown): T {
  const { status, stdout, stderr } = spawnSync(program, ["-W", "ignore", "-c", script], {
    input: JSON.stringify(input),
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(`python failed: ${stderr}`);
  return JSON.parse(stdout) as T;
}
