import { describe, expect, test } from "vitest";
import { readTar } from "./tar.ts";

/** A ustar archive of the given files; type 5 is a folder. */
function archiveOf(files: { name: string; content: string; type?: string }[]): Uint8Array {
  const blocks = files.flatMap(({ name, content, type = "0" }) => {
    const header = Buffer.alloc(512);
    header.write(name, 0);
    header.write(content.length.toString(8).padStart(11, "0"), 124);
    header.write(type, 156);
    return [header, Buffer.from(content), Buffer.alloc((512 - (content.length % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

describe("readTar", () => {
  test("lists regular files with their bytes, whatever their size", () => {
    const files = [
      { name: "empty", content: "" },
      { name: "folder/", content: "", type: "5" },
      { name: "short", content: "abc" },
      { name: "block", content: "x".repeat(512) },
      { name: "long", content: "y".repeat(1300) },
    ];
    const entries = readTar(archiveOf(files)).map(({ name, bytes }) => [name, Buffer.from(bytes).toString()]);
    expect(entries).toEqual(files.filter(({ type }) => type !== "5").map(({ name, content }) => [name, content]));
  });

  test("refuses an archive that ends inside a file", () => {
    const archive = archiveOf([{ name: "cut", content: "z".repeat(600) }]);
    expect(() => readTar(archive.subarray(0, 900))).toThrow(/"cut" claims 600 bytes at offset 512 of 900/);
  });
});
