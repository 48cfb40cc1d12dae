/**
 * Fashion-MNIST: 70,000 photographs of clothes, in the format of MNIST.
 *
 * Source: Xiao, Rasul, Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms", 2017.
 */

import type { DatasetSplits } from "./dataset.ts";
import { loadIdxFolder } from "./idx-folder.ts";

/** Where Debian's package `dataset-fashion-mnist` puts the files. */
export const FASHION_MNIST_FOLDER = "/usr/share/datasets/fashion-mnist";

/** Fashion-MNIST, of 55,000 training, 5,000 validation and 10,000 test images, from `folder`. */
export async function loadFashionMnist({
  folder = FASHION_MNIST_FOLDER,
}: {
  folder?: string;
} = {}): Promise<DatasetSplits> {
  return loadIdxFolder({
    name: "fashion-mnist",
    folder,
    classes: 10,
    // Over all 60,000 training images; idx-folder.test.ts computes them anew.
    mean: 0.286,
    std: 0.353,
    hint: "On Debian run `apt-get install dataset-fashion-mnist`; elsewhere give a folder with the four *-ubyte.gz files of github.com/zalandoresearch/fashion-mnist",
  });
}
