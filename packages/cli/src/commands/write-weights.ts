/** Writes a file of weights and tells it, as `import` and `export` do. */
import { checkWeightsPath, saveWeights, type WeightsSource } from "@guidance/guidance";
import { formatBytes } from "@guidance/tensor";
import { Output, type OutputOptions } from "../report/output.ts";
import { patientProgress } from "../report/patience.ts";
import { checkOutput } from "./output-file.ts";

export interface WriteOptions extends OutputOptions {
  readonly force?: boolean;
}

/**
 * Writes `source` to the file `out`, showing how far it is as `label`. Throws WeightsError where `out` has no known extension,
 * RunError where it may not be written. To be called once the input was opened: where both are wrong, the input is what is told.
 */
export async function writeWeights(
  label: string,
  out: string,
  source: WeightsSource,
  options: WriteOptions,
): Promise<void> {
  checkWeightsPath(out);
  await checkOutput("output", out, options.force);
  const output = new Output(options);
  const progress = patientProgress(output);
  const { tensors, bytes } = await saveWeights(out, source, (done, total) =>
    progress({ label, done, total, detail: `bytes of ${formatBytes(total)}` }),
  ).finally(() => output.close());
  output.result(`wrote ${out}: ${tensors} tensors, ${formatBytes(bytes)}`, { out, tensors, bytes });
}
