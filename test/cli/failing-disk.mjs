// Loaded into `guidance` before anything else (NODE_OPTIONS=--import): a disk that fails as a real one does. FAILING_DISK
// says how: files whose path matches `files` take `bytes` more bytes in all, the last write being a short one; whoever writes
// on, or opens one of them for writing after that, gets an error with `code`.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const { code, files, bytes } = JSON.parse(process.env.FAILING_DISK);
const texts = { ENOSPC: "no space left on device", EROFS: "read-only file system", EIO: "i/o error" };
const pattern = new RegExp(files);
const watched = new Set();
let left = bytes;

function fail(syscall) {
  throw Object.assign(new Error(`${code}: ${texts[code]}, ${syscall}`), { code, syscall });
}

/** How many of `wanted` bytes are taken. */
function take(wanted) {
  if (left === 0) fail("write");
  const taken = Math.min(left, wanted);
  left -= taken;
  return taken;
}

function checkOpen(path, flags) {
  const matches = pattern.test(path) && /[wa+]/.test(String(flags ?? "r"));
  if (matches && left === 0) fail("open");
  return matches;
}

const { openSync, writeSync } = fs;
fs.openSync = (path, flags, mode) => {
  const matches = checkOpen(path, flags);
  const file = openSync(path, flags, mode);
  if (matches) watched.add(file);
  return file;
};
fs.writeSync = (file, data, offset = 0) => {
  if (!watched.has(file)) return writeSync(file, data, offset);
  const rest = Buffer.from(data).subarray(offset);
  return writeSync(file, rest, 0, take(rest.length));
};

const { open } = fs.promises;
fs.promises.open = async (path, flags, mode) => {
  const matches = checkOpen(path, flags);
  const file = await open(path, flags, mode);
  if (!matches) return file;
  const write = file.write.bind(file);
  file.write = async (data, offset, length, position) => write(data, offset, take(length), position);
  return file;
};
syncBuiltinESMExports();
