/**
 * Layer by layer similarity of two networks on the same images: an [La, Lb] matrix.
 *
 * What a similarity needs of each layer (for CKA its centered Gram matrix) is made once, and pairs are made of these on the
 * host. `full` makes it of the features of all samples, gathered batch by batch (full.ts); `minibatch` adds up unbiased
 * estimates, so that samples cost time and no memory (minibatch.ts).
 */
import { DataError } from "../data/errors.ts";
import type { ImageSource } from "../data/source.ts";
import type { ComparedNetwork, CompareOptions, Comparison } from "./comparison.ts";
import { compareFull } from "./full.ts";
import { measureOf } from "./measures.ts";
import { compareBatches } from "./minibatch.ts";

/**
 * Compares all layers of two networks, in evaluation mode. Throws before anything runs where something does not fit:
 * ValueError, DataError, or LimitError for device and host.
 */
export async function compareNetworks(options: CompareOptions): Promise<Comparison> {
  const measure = measureOf(options.similarity, options.estimator);
  for (const network of options.networks) checkInput(network, options.source);
  checkSamples(options);
  const cut = { ...options, batchSize: Math.min(options.batchSize, options.samples) };
  return measure.kind === "batches" ? compareBatches(cut, measure.relations) : compareFull(cut, measure);
}

function checkInput({ name, input: { imageShape } }: ComparedNetwork, source: ImageSource): void {
  const given = [source.channels, source.height, source.width];
  if (imageShape.join() === given.join()) return;
  throw new DataError({
    what: "compare",
    facts: `"${name}" takes images [${imageShape.join(", ")}] and "${source.name}" has [${given.join(", ")}]`,
    expected: "two networks and a data set of one image shape",
  });
}

function checkSamples({ source, samples, estimator, batchSize }: CompareOptions): void {
  const [least, why] = estimator === "full" ? [2, ""] : [4, ", and unbiased estimates divide by n - 3"];
  const refused = (what: string, facts: string, expected: string) => new DataError({ what, facts, expected });
  if (samples > source.count) {
    const facts = `they are ${samples} and "${source.name}" has ${source.count} images`;
    throw refused("samples", facts, "no more than there are");
  }
  const isCount = (number: number, least: number) => Number.isInteger(number) && number >= least;
  const expected = (least: number) => `a whole number of at least ${least}`;
  if (!isCount(samples, least)) throw refused("samples", `there are ${samples}${why}`, expected(least));
  const fewest = estimator === "full" ? 1 : least;
  if (!isCount(batchSize, fewest)) throw refused("batch", `it has ${batchSize} images${why}`, expected(fewest));
}
