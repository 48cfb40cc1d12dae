/** Pickles that would run code, and files that lie about sizes: one clear error each, and nothing happens. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { WeightsError } from "./errors.ts";
import { openWeightsFrom } from "./open.ts";
import { memorySource } from "./source.ts";
import { ZipWriter } from "./zip-write.ts";

const bytes = (...parts: (string | Uint8Array)[]): Uint8Array =>
  Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : part)));

/** A file of the zip layout with this pickle and these storages. */
function zip(pickle: string | Uint8Array, entries: Readonly<Record<string, Uint8Array>> = {}): Uint8Array {
  const writer = new ZipWriter();
  const parts = [["data.pkl", bytes(pickle)] as const, ...Object.entries(entries)].flatMap(([name, contents]) => [
    ...writer.entry(`archive/${name}`, contents),
  ]);
  return bytes(...parts, writer.end());
}

const fixture = (name: string): Uint8Array =>
  readFileSync(fileURLToPath(new URL(`fixtures/${name}.pth`, import.meta.url)));

/** What a file is refused with. */
async function refusal(contents: Uint8Array): Promise<string> {
  const error: unknown = await openWeightsFrom(memorySource("evil.pth", contents)).catch((error) => error);
  expect(error).toBeInstanceOf(WeightsError);
  const { message } = error as Error;
  expect(message).toMatch(/^weights file "evil\.pth": [^\n]+$/);
  return message;
}

const text = (value: string): string => `X${String.fromCharCode(value.length, 0, 0, 0)}${value}`;
const int = (value: number): Uint8Array => {
  const part = Buffer.alloc(10);
  part.writeUInt16LE(0x088a, 0);
  part.writeBigInt64LE(BigInt(value), 2);
  return part;
};

describe("pickles that name what is not loaded are refused by name and place", () => {
  const system = "cposix\nsystem\n";
  const cases: Readonly<Record<string, readonly [string, string]>> = {
    "GLOBAL and REDUCE": [`\x80\x02${system}(${text("true")}tR.`, '"posix.system"'],
    "os.system": [`\x80\x02cos\nsystem\n(${text("true")}tR.`, '"os.system"'],
    STACK_GLOBAL: [`\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.`, '"os.system"'],
    INST: [`\x80\x02(${text("true")}ios\nsystem\n.`, '"os.system"'],
    OBJ: [`\x80\x02(${text("x")}o.`, "opcode OBJ"],
    "OBJ of a global": [`\x80\x02(${system}o.`, '"posix.system"'],
    NEWOBJ: [`\x80\x02ccollections\nOrderedDict\n)\x81.`, "opcode NEWOBJ"],
    NEWOBJ_EX: [`\x80\x04ccollections\nOrderedDict\n)}\x92.`, "opcode NEWOBJ_EX"],
    "BUILD of a global": [`\x80\x02ccollections\nOrderedDict\n}b.`, "(BUILD)"],
    "BUILD of a list": [`\x80\x02]}b.`, "(BUILD)"],
    EXT1: [`\x80\x02\x82\x01.`, "opcode EXT1"],
    PERSID: [`\x80\x02P0\n.`, "opcode PERSID"],
    "a call of a name": [`\x80\x02ctorch\nFloatStorage\n)R.`, "calls what is no function"],
    eval: [`\x80\x02c__builtin__\neval\n(${text("1")}tR.`, '"__builtin__.eval"'],
    "a whole module": [`\x80\x02ctorch.nn.modules.linear\nLinear\n)\x81.`, '"torch.nn.modules.linear.Linear"'],
    "a name of Object's": [`\x80\x02c__proto__\nconstructor\n)R.`, '"__proto__.constructor"'],
  };
  test.each(Object.entries(cases))("%s", async (_, [pickle, named]) => {
    const message = await refusal(zip(pickle));
    expect(message).toContain(named);
    expect(message).toMatch(/at byte \d+ /);
    expect(message).toContain("Write it with torch.save(model.state_dict(), ...)");
  });

  test("in the legacy layout too", async () => {
    const legacy = Buffer.from(fixture("types-legacy"));
    const at = legacy.indexOf("collections\nOrderedDict");
    legacy.write("subprocess.\nPopen_______".slice(0, 23), at, "latin1");
    expect(await refusal(legacy)).toContain('"subprocess');
  });
});

/** A pickle of one tensor, `w`, on storage 0. */
function tensor(size: number, offset: number, shape: readonly number[], strides: readonly number[]): Uint8Array {
  const tuple = (values: readonly number[]) => bytes("(", ...values.map(int), "t");
  const id = bytes("(", text("storage"), "ctorch\nFloatStorage\n", text("0"), text("cpu"), int(size), "tQ");
  const rebuilt = bytes(
    "ctorch._utils\n_rebuild_tensor_v2\n(",
    id,
    int(offset),
    tuple(shape),
    tuple(strides),
    "\x89}tR",
  );
  return bytes("\x80\x02}", text("w"), rebuilt, "s.");
}

describe("sizes that lie are refused before anything is allocated", () => {
  const one = { "data/0": new Uint8Array(16) };
  test.each<[string, Uint8Array, string]>([
    ["a storage larger than its entry", zip(tensor(2 ** 40, 0, [1], [1]), one), "has 16 bytes. Expected 4398046511104"],
    ["a storage without entry", zip(tensor(4, 0, [4], [1])), 'lacks the entry of storage "0"'],
    ["a shape beyond the storage", zip(tensor(4, 0, [5], [1]), one), "leaves its storage"],
    ["strides beyond the storage", zip(tensor(4, 0, [2, 2], [3, 1]), one), "leaves its storage"],
    ["an offset beyond the storage", zip(tensor(4, 1, [4], [1]), one), "leaves its storage"],
    ["strides of zero", zip(tensor(4, 0, [2 ** 26], [0]), one), "in a file of"],
    ["sizes whose product is no number", zip(tensor(4, 0, [2 ** 50, 2 ** 50], [0, 0]), one), "leaves its storage"],
    ["negative sizes", zip(tensor(4, 0, [-1], [1]), one), "other things than storage, offset, shape and strides"],
    ["negative strides", zip(tensor(4, 3, [4], [-1]), one), "other things than storage, offset, shape and strides"],
    ["more strides than sizes", zip(tensor(4, 0, [4], [1, 1]), one), "other things than"],
    ["a text longer than the file", zip("\x80\x02X\xff\xff\xff\xff"), "its pickle ends within"],
    ["bytes longer than any file", zip(`\x80\x04\x8e${"\xff".repeat(8)}`), "its pickle ends within"],
    ["a long integer", zip(bytes("\x80\x02\x8b\xff\xff\xff\x7f")), "an integer has 2147483647 bytes"],
    ["a newer protocol", zip("\x80\x09."), "has protocol 9"],
    ["a key twice", zip(`\x80\x02}${text("w")}N${"s"}${text("w")}Ns.`), 'the key "w" stands twice'],
    ["no dict", zip("\x80\x02]."), "holds no dict"],
    ["no tensor", zip(`\x80\x02}${text("epoch")}K\x01s.`), 'the entry "epoch" of the state dict is no tensor'],
    ["no pickle at all", zip(""), "its pickle ends"],
    ["big-endian values", zip("\x80\x02}.", { byteorder: bytes("big") }), 'its byte order is "big"'],
    ["a program", zip("\x80\x02}.", { "constants.pkl": bytes(".") }), "TorchScript"],
  ])("%s", async (_, contents, facts) => {
    expect(await refusal(contents)).toContain(facts);
  });

  test("a name of many lines stays on one", async () => {
    const header = JSON.stringify({ "a\nb": { dtype: "F32", shape: [1], data_offsets: [0, 8] } });
    const length = Buffer.alloc(8);
    length.writeUInt32LE(header.length);
    expect(await refusal(bytes(length, header, new Uint8Array(8)))).toContain('tensor "a b" has 8 bytes');
  });

  test("one storage under many names", async () => {
    const storage = new Uint8Array(2 ** 20);
    const view = tensor(2 ** 18, 0, [2 ** 18], [1]);
    // PROTO and EMPTY_DICT before, SETITEM and STOP after the entry of `w`
    const entry = view.subarray(3 + text("w").length, -2);
    const entries = Array.from({ length: 100 }, (_, i) => bytes(text(`w${i}`), entry, "s"));
    const pickle = bytes("\x80\x02}", ...entries, ".");
    expect(await refusal(zip(pickle, { "data/0": storage }))).toContain("its tensors have");
  });
});

describe("bombs are refused, or harmless, at once", () => {
  test("a list of lists of lists, each twice", async () => {
    const doubled = "2(h\x00h\x00tq\x00".repeat(10_000);
    await refusal(zip(`\x80\x02)q\x00${doubled}.`));
  }, 20_000);

  test("deep nesting", async () => {
    await refusal(zip(`\x80\x02${"(".repeat(1_000_000)}`));
    await refusal(zip(`\x80\x02)${"\x85".repeat(1_000_000)}.`));
    await refusal(zip(`\x80\x02}${text("state_dict")}${"]".repeat(100_000)}${"a".repeat(99_999)}s.`));
  }, 20_000);

  test("a list within itself", async () => {
    expect(await refusal(zip("\x80\x02]q\x00h\x00a."))).toContain("holds no dict");
    expect(await refusal(zip(`\x80\x02}q\x00${text("state_dict")}h\x00s.`))).toContain("is no tensor");
  });

  test("a long list copied many times", async () => {
    const list = `](${"]".repeat(100_000)}eq\x00`;
    const copies = "ccollections\nOrderedDict\nq\x010h\x01h\x00\x85R0".repeat(20_000);
    expect(await refusal(zip(`\x80\x02${list}${copies}.`))).toContain("an OrderedDict is made of");
  }, 20_000);

  test("millions of values", async () => {
    await refusal(zip(`\x80\x02${"}".repeat(5_000_000)}`));
  }, 20_000);
});

describe("archives that are not what they say", () => {
  const good = Buffer.from(fixture("views-zip"));
  const patched = (change: (copy: Buffer) => void): Buffer => {
    const copy = Buffer.from(good);
    change(copy);
    return copy;
  };
  const end = good.length - 22;
  const end64 = end - 20 - 56;
  const directory = Number(good.readBigUInt64LE(end64 + 48));
  test.each<[string, Uint8Array, string]>([
    ["cut short", good.subarray(0, good.length - 30), "a zip archive without its end"],
    ["a directory beyond the end", patched((copy) => copy.writeBigUInt64LE(2n ** 62n, end64 + 48)), "beyond its end"],
    ["a zip64 record elsewhere", patched((copy) => copy.writeBigUInt64LE(3n, end - 12)), "zip64 record"],
    ["a zip64 record beyond the file", patched((copy) => copy.writeBigUInt64LE(2n ** 63n, end - 12)), "ends before"],
    ["another number of entries", patched((copy) => copy.writeBigUInt64LE(9n, end64 + 32)), "not 9 as it says"],
    ["a damaged directory", patched((copy) => copy.writeUInt32LE(0, directory)), "damaged at byte"],
    ["a compressed entry", patched((copy) => copy.writeUInt16LE(8, directory + 10)), "is compressed"],
    ["an encrypted entry", patched((copy) => copy.writeUInt16LE(1, directory + 8)), "encrypted"],
    ["an entry elsewhere", patched((copy) => copy.writeUInt32LE(5, directory + 42)), "not where it should be"],
    [
      "an entry beyond the file",
      patched((copy) => copy.writeUInt32LE(2 ** 31, directory + 42)),
      "lies outside the file",
    ],
    [
      "an entry larger than the file",
      patched((copy) => {
        copy.writeUInt32LE(2 ** 31, directory + 20);
        copy.writeUInt32LE(2 ** 31, directory + 24);
      }),
      "bytes",
    ],
  ])("%s", async (_, contents, facts) => {
    expect(await refusal(contents)).toContain(facts);
  });

  test("contents that are not those of the checksum, whichever entry they are in", async () => {
    const one = { "data/0": bytes("0123456789abcdef") };
    const contents = Buffer.from(zip(tensor(4, 0, [4], [1]), one));
    const flipped = (at: number) => contents.map((byte, place) => (place === at ? byte ^ 1 : byte));
    const at = contents.indexOf("0123456789abcdef");
    const file = await openWeightsFrom(memorySource("x.pth", flipped(at + 15)));
    await expect(file.read("w")).rejects.toThrow(
      /^weights file "x\.pth": entry "archive\/data\/0" is damaged: its checksum is [\da-f]{8}\. Expected [\da-f]{8}, as it was written\. Copy or download it again\.$/,
    );
    expect(await refusal(flipped(contents.indexOf("storage")))).toContain('entry "archive/data.pkl" is damaged');
    // torch computes none where it is told to: its records then have a zero
    const record = contents.lastIndexOf("archive/data/0") - 46;
    contents.writeUInt32LE(0, record + 16);
    const without = await openWeightsFrom(memorySource("x.pth", flipped(at)));
    expect((await without.read("w")).data).toHaveLength(4);
  });

  test("entries that overlap", async () => {
    const large = { "data/0": new Uint8Array(4096) };
    const contents = Buffer.from(zip("\x80\x02}.", large));
    const record = contents.lastIndexOf("archive/data.pkl") - 46;
    contents.writeUInt32LE(4096, record + 20);
    contents.writeUInt32LE(4096, record + 24);
    expect(await refusal(contents)).toContain("some overlap");
  });

  test("a name twice", async () => {
    const writer = new ZipWriter();
    const parts = [1, 2].flatMap(() => [...writer.entry("archive/data.pkl", bytes("\x80\x02}."))]);
    expect(await refusal(bytes(...parts, writer.end()))).toContain('entry "archive/data.pkl" stands twice');
  });

  test("every cut of every file is refused", async () => {
    for (const name of ["views-zip", "types-legacy", "wrapped-legacy"]) {
      const whole = fixture(name);
      for (let length = 0; length < whole.length; length += 7) await refusal(whole.subarray(0, length));
    }
  });
});
