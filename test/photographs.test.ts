// Photographs as cameras take them, of up to 16 million pixels: what training and evaluation see of them is what torchvision on
// Pillow makes, bit for bit. Needs Debian's packages lomiri-wallpapers-16.04 and python3-pil; GUIDANCE_PHOTOGRAPHS names
// another folder of JPEGs.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  evaluationTransform,
  type ImageSource,
  openImageData,
  planTransform,
  trainingTransform,
} from "@guidance/guidance";
import { afterAll, expect, test } from "vitest";
import { openTier } from "./support/tiers.ts";

const wallpapers = "/usr/share/backgrounds";
/** One of Debian's package: other files in that folder come from elsewhere. */
const known = "seeding_by_Clements_Engelhardt.jpg";

interface Photographs {
  readonly folder: string;
  readonly names: readonly string[];
  readonly python: string;
  readonly pillow: string;
}

/** The photographs, and a Python that has Pillow; throws where one of them is missing. */
async function find(): Promise<Photographs> {
  const given = process.env.GUIDANCE_PHOTOGRAPHS;
  const folder = given || wallpapers;
  let names: string[] = [];
  try {
    names = readdirSync(folder).filter((name) => name.endsWith(".jpg"));
  } catch {
    // told below
  }
  if (names.length === 0 || (!given && !names.includes(known))) {
    throw new Error(`there are no photographs in "${folder}" (apt-get install lomiri-wallpapers-16.04)`);
  }
  for (const python of ["python3", "/usr/bin/python3"]) {
    const { status, stdout } = spawnSync(python, ["-c", "import PIL; print(PIL.__version__)"], { encoding: "utf8" });
    if (status === 0) return { folder, names: names.sort(), python, pillow: stdout.trim() };
  }
  throw new Error("no python3 has Pillow (apt-get install python3-pil)");
}

const found = await openTier("photographs", find, ({ names, folder, pillow }) => {
  return `${names.length} photographs of ${folder} and Pillow ${pillow}`;
});

const root = mkdtempSync(join(tmpdir(), "guidance-photographs-"));
afterAll(() => rmSync(root, { recursive: true }));

const SIZE = 224;
const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");

/** The hash of each image of a split in its own order, as [3, height, width]. */
async function hashes(source: ImageSource, epoch: number): Promise<string[]> {
  const found: string[] = [];
  const bytes = 3 * SIZE * SIZE;
  for await (const { images, count } of source.batches({
    batchSize: 4,
    lastBatch: "pad",
    shuffle: false,
    seed: 5,
    epoch,
  })) {
    for (let place = 0; place < count; place++) found.push(sha256(images.subarray(place * bytes, (place + 1) * bytes)));
  }
  return found;
}

/** Sizes of images, or what is made of them: a crop, resized, of which a window is kept, perhaps mirrored. */
const script = `
import hashlib, json, sys
from PIL import Image
Image.MAX_IMAGE_PIXELS = None
results = []
for path, plans in json.load(sys.stdin):
    image = Image.open(path)
    if not plans: results.append(image.size)
    else: image = image.convert("RGB")
    for plan in plans:
        left, top, width, height = (plan["crop"][key] for key in ("left", "top", "width", "height"))
        part = image.crop((left, top, left + width, top + height)).resize((plan["width"], plan["height"]), Image.BILINEAR)
        left, top, width, height = (plan["window"][key] for key in ("left", "top", "width", "height"))
        part = part.crop((left, top, left + width, top + height))
        if plan["flip"]: part = part.transpose(Image.FLIP_LEFT_RIGHT)
        results.append(hashlib.sha256(b"".join(plane.tobytes() for plane in part.split())).hexdigest())
print(json.dumps(results))`;

function askPillow<T>(python: string, input: unknown): T[] {
  const { status, stdout, stderr } = spawnSync(python, ["-c", script], {
    input: JSON.stringify(input),
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout);
}

test.skipIf(!found)(
  "photographs are decoded, cropped and resized as torchvision on Pillow does, bit for bit",
  async () => {
    const { folder, names, python } = found as Photographs;
    const paths = names.map((name) => join(folder, name));
    for (const split of ["train", "val"]) {
      mkdirSync(join(root, split, "photograph"), { recursive: true });
      for (const name of names) copyFileSync(join(folder, name), join(root, split, "photograph", name));
    }
    const data = await openImageData(root, { size: SIZE });
    try {
      const epochs = [0, 1];
      const given = [await hashes(data.validation, 0)];
      for (const epoch of epochs) given.push(await hashes(data.train, epoch));
      const sizes = askPillow<[number, number]>(
        python,
        paths.map((path) => [path, []]),
      );
      const plans = sizes.map(([width, height], image) => [
        planTransform(evaluationTransform({ size: SIZE }), width, height, { seed: 5, epoch: 0, image }),
        ...epochs.map((epoch) =>
          planTransform(trainingTransform({ size: SIZE }), width, height, { seed: 5, epoch, image }),
        ),
      ]);
      const expected = askPillow<string>(
        python,
        paths.map((path, image) => [path, plans[image]]),
      );
      names.forEach((name, image) => {
        expect([name, ...given.map((column) => column[image])]).toEqual([
          name,
          ...expected.slice(3 * image, 3 * image + 3),
        ]);
      });
    } finally {
      await data.close();
    }
  },
);
