// A machine without a GPU driver can still run WebGPU: the npm package @sparticuz/chromium carries SwiftShader, a Vulkan
// driver that runs on the CPU, and the Vulkan loader that finds it. Both are unpacked once into a cache folder. The
// loader is told of the driver through the environment, and, where the system has no loader of its own, the packaged
// one is mapped into this process so that Dawn's later dlopen("libvulkan.so.1") finds it by its name.

import { readTar } from "./tar.ts";

const packageName = "@sparticuz/chromium";
const archiveInPackage = "bin/swiftshader.tar.br";
const driverDescription = "vk_swiftshader_icd.json";
const loaderLibrary = "libvulkan.so.1";
/** Keeps the loader mapped although Node rejects it as an add-on (RTLD_NODELETE of glibc; Node names no constant). */
const keepMapped = 0x1000;

/** Why the packaged driver cannot be used here, or undefined where it can. */
export function swiftshaderObstacle(): string | undefined {
  if (process.platform !== "linux" || process.arch !== "x64") {
    return `it is built for linux x64, this is ${process.platform} ${process.arch}`;
  }
  if (!archivePath()) return `the optional npm package ${packageName} is not installed`;
  if (!process.getBuiltinModule("node:worker_threads").isMainThread) {
    return "it needs the environment of the main thread, this is a worker thread";
  }
  return undefined;
}

/** Finds the archive as Node would find the package: in the node_modules folders above this file. */
function archivePath(): string | undefined {
  const { existsSync } = process.getBuiltinModule("node:fs");
  const { join } = process.getBuiltinModule("node:path");
  const require = process.getBuiltinModule("node:module").createRequire(import.meta.url);
  const folders = require.resolve.paths(packageName) ?? [];
  return folders.map((folder) => join(folder, packageName, archiveInPackage)).find((path) => existsSync(path));
}

/**
 * Unpacks the driver into the user's cache, unless an earlier run did.
 *
 * The folder appears under its final name only when complete (written beside it, then renamed), so processes that start
 * at the same time cannot see half a driver. Where the cache cannot be written, a temporary folder serves this process.
 *
 * @returns the folder that holds the driver and the loader
 * @throws Error when the package is not installed or its archive is damaged
 */
export function unpackSwiftshader(): string {
  const { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } = process.getBuiltinModule("node:fs");
  const { homedir, tmpdir } = process.getBuiltinModule("node:os");
  const { join } = process.getBuiltinModule("node:path");

  const archive = archivePath();
  if (!archive) throw new Error(`Cannot unpack SwiftShader: ${swiftshaderObstacle()}. Try: npm install ${packageName}`);
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "guidance");
  // The size tells one release's archive from another's.
  const folder = join(cache, `swiftshader-${statSync(archive).size}`);
  if (existsSync(folder)) return folder;

  let unfinished: string;
  try {
    mkdirSync(cache, { recursive: true });
    unfinished = mkdtempSync(join(cache, "unpacking-"));
  } catch {
    const temporary = mkdtempSync(join(tmpdir(), "guidance-swiftshader-"));
    process.once("exit", () => rmSync(temporary, { recursive: true, force: true }));
    return unpackInto(temporary, archive);
  }
  unpackInto(unfinished, archive);
  try {
    renameSync(unfinished, folder);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    if (!existsSync(folder)) throw error; // otherwise another process finished first: its folder serves
  }
  return folder;
}

function unpackInto(folder: string, archive: string): string {
  const { readFileSync, writeFileSync } = process.getBuiltinModule("node:fs");
  const { basename, join } = process.getBuiltinModule("node:path");
  const { brotliDecompressSync } = process.getBuiltinModule("node:zlib");
  for (const { name, bytes } of readTar(brotliDecompressSync(readFileSync(archive)))) {
    writeFileSync(join(folder, basename(name)), bytes, { mode: 0o755 });
  }
  return folder;
}

/**
 * Runs `open` while the Vulkan loader sees SwiftShader and nothing else.
 *
 * @param open requests an adapter; gives null where there is none
 * @returns what `open` gave, once the system's loader or else the packaged one has been tried
 */
export async function withSwiftshader<T>(open: () => Promise<T | null>): Promise<T | null> {
  const { join } = process.getBuiltinModule("node:path");
  const folder = unpackSwiftshader();
  const before = process.env.VK_DRIVER_FILES;
  process.env.VK_DRIVER_FILES = join(folder, driverDescription);
  try {
    const opened = await open();
    if (opened) return opened;
    mapLoader(join(folder, loaderLibrary));
    return await open();
  } finally {
    if (before === undefined) delete process.env.VK_DRIVER_FILES;
    else process.env.VK_DRIVER_FILES = before;
  }
}

/** Maps a shared library for the whole process. */
function mapLoader(path: string): void {
  const { RTLD_GLOBAL, RTLD_NOW } = process.getBuiltinModule("node:os").constants.dlopen;
  try {
    process.dlopen({ exports: {} }, path, RTLD_NOW | RTLD_GLOBAL | keepMapped);
  } catch {
    // Expected: it is no Node add-on. The library stays mapped, which is all that is wanted.
  }
}
