// The source files that the lint scripts read: everything of ours, nothing installed or built.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const folders = ["packages", "bench", "docs", "examples", "test", "scripts"];
const source = /\.(ts|mts|mjs|js|wgsl)$/;
const foreign = /(^|\/)(node_modules|dist|site|fixtures|\.[^/]+)\//;

/**
 * @param {string} root the repository's root
 * @returns {{ path: string, text: string, isTest: boolean }[]} paths relative to the root, with forward slashes
 */
export function sources(root) {
  return folders
    .flatMap((folder) => filesUnder(join(root, folder)).map((file) => `${folder}/${file.replaceAll("\\", "/")}`))
    .filter((path) => source.test(path) && !foreign.test(path))
    .map((path) => ({
      path,
      text: readFileSync(join(root, path), "utf8"),
      isTest: path.startsWith("test/") || path.endsWith(".test.ts"),
    }));
}

function filesUnder(folder) {
  try {
    return readdirSync(folder, { recursive: true });
  } catch {
    return [];
  }
}
