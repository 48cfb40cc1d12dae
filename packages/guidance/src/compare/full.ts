/**
 * Comparison of all samples at once, of networks that run in batches: features come to the host, and what a similarity
 * needs of each layer is made of whole features, one layer after another. So the device holds one batch of a network or
 * the features of one layer (of a pair, where a plugin's similarity takes pairs), however many layers there are.
 */
import { freemem } from "node:os";
import { formatShape } from "@guidance/tensor";
import { eventLoopTurn } from "../train/turn.ts";
import type { ComparedLayer, ComparedNetwork, CompareOptions, CompareProgress, Comparison } from "./comparison.ts";
import { gatherFeatures } from "./gather.ts";
import { type PlannedLayers, planLayers } from "./layers.ts";
import { byShape, checkDevice, FEWER_SAMPLES, type PlannedPart, planPasses, SMALLER_BATCH } from "./limits.ts";
import type { Measure } from "./measures.ts";
import { type Method, methodOf } from "./method.ts";

/** A network that was planned. */
interface Side extends PlannedLayers {
  readonly network: ComparedNetwork;
  /** [n, ...] of the features of each layer, for all n samples. */
  readonly shapes: readonly (readonly number[])[];
}

/** A network that ran: what is kept of each layer. */
interface KeptSide {
  readonly layers: readonly ComparedLayer[];
  readonly shapes: readonly (readonly number[])[];
  readonly kept: readonly unknown[];
}

/** Throws LimitError before anything runs where device or host are too small. */
export async function compareFull(options: CompareOptions, measure: Measure): Promise<Comparison> {
  const method = methodOf(options.backend, measure);
  try {
    const sides = await planSides(options);
    const passes = await checkSides(options, method, sides);
    const { kept, samples } = await runSides(options, method, sides, passes);
    const [rows, columns] = ends(kept);
    return {
      rows: rows.layers,
      columns: columns.layers,
      matrix: await compareSides(options, method, rows, columns),
      samples,
      batchSize: options.batchSize,
    };
  } finally {
    method.device?.close();
  }
}

/** Rows and columns, which may be the same. */
const ends = <T>(sides: readonly T[]): readonly [T, T] => [sides[0], sides[sides.length - 1]];

async function planSides({ backend, networks, samples, batchSize }: CompareOptions): Promise<Side[]> {
  const sides: Side[] = [];
  for (const network of new Set(networks)) {
    const planned = await planLayers(backend, { network, batchSize, represent: (features) => features });
    sides.push({ ...planned, network, shapes: planned.shapes.map(([, ...rest]) => [samples, ...rest]) });
  }
  return sides;
}

/** The passes of each network over the images. */
async function checkSides(
  { backend, batchSize, hostBytes = freemem() / 2 }: CompareOptions,
  method: Method<unknown>,
  sides: readonly Side[],
): Promise<number[][][]> {
  const [rows, columns] = ends(sides);
  const steps: PlannedPart[] = sides.map(({ network, step }) => ({
    of: `batches of ${batchSize} in "${network.name}"`,
    step,
    hint: SMALLER_BATCH,
  }));
  const given = new Map(method.deviceShapes(rows.shapes, columns.shapes).map((shapes) => [shapes.join(" "), shapes]));
  for (const shapes of given.values()) {
    const of = `features ${shapes.map(formatShape).join(" and ")}`;
    steps.push({ of, step: await method.device!.plan(shapes), hint: FEWER_SAMPLES });
  }
  checkDevice(
    backend,
    sides.map(({ network }) => network.model),
    steps,
  );
  const keptBytes = sides.flatMap(({ shapes }) => shapes).reduce((sum, shape) => sum + method.keptBytes(shape), 0);
  return sides.map(({ shapes }) => planPasses(backend, shapes, { keptBytes, hostBytes }));
}

/** Runs each network, pass by pass, and makes what is kept of its layers. */
async function runSides(
  options: CompareOptions,
  method: Method<unknown>,
  sides: readonly Side[],
  passes: readonly (readonly (readonly number[])[])[],
): Promise<{ readonly kept: KeptSide[]; readonly samples: number }> {
  const tellImages = counter(options, "images", passes.flat().length * options.samples);
  const tellLayer = counter(options, "layers", passes.flat(2).length);
  let samples = 0;
  const kept: KeptSide[] = [];
  for (const [s, { network, layers, shapes }] of sides.entries()) {
    const own: unknown[] = [];
    for (const only of passes[s]) {
      const features = await gatherFeatures(options, {
        network,
        only,
        shapes: only.map((layer) => shapes[layer]),
        onBatch: tellImages,
      });
      samples = features[0].shape[0];
      for (const layer of only) {
        await eventLoopTurn();
        // what is made of is let go
        own[layer] = await method.keep(features.shift()!);
        tellLayer(1);
      }
      // not beside the next network
      method.device?.close();
    }
    kept.push({ layers, shapes, kept: own });
  }
  return { kept, samples };
}

async function compareSides(options: CompareOptions, method: Method<unknown>, rows: KeptSide, columns: KeptSide) {
  const matrix: number[][] = rows.kept.map(() => []);
  const pairs = rows.kept.flatMap((_, i) => columns.kept.map((_, j) => [i, j]));
  const tellPair = counter(options, "pairs", pairs.length);
  for (const pair of byShape(pairs.map(([i, j]) => `${rows.shapes[i]} ${columns.shapes[j]}`))) {
    const [i, j] = pairs[pair];
    await eventLoopTurn();
    matrix[i][j] = await method.similarity(rows.kept[i], columns.kept[j]);
    tellPair(1);
  }
  return matrix;
}

/** Adds up what is done of a stage, and tells it. */
function counter({ onProgress }: CompareOptions, stage: CompareProgress["stage"], total: number) {
  let done = 0;
  return (more: number) => {
    done += more;
    onProgress?.({ stage, done, total });
  };
}
