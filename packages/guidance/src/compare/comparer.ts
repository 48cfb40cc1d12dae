/** The ways to a matrix of similarities: batches go in, the matrix comes out. */
import { compile, type TypedArray } from "@guidance/tensor";
import { imageSpec } from "../train/image-input.ts";
import { inEvaluation } from "../train/modes.ts";
import type { CompareOptions, Comparison } from "./compare.ts";
import { compileLayers, describeLayers, explainLimit, type LayerStep, observedLayers } from "./layers.ts";
import type { Measure } from "./measures.ts";
import { type FeatureMatrix, type Principal, principal } from "./principal.ts";

export interface Comparer {
  readonly layers: Pick<Comparison, "rows" | "columns">;
  add(images: Uint8Array): Promise<void>;
  matrix(): number[][];
  close(): void;
}

type Needs = Pick<CompareOptions, "backend" | "networks">;

export function openComparer(options: Needs, measure: Measure, batchSize: number): Promise<Comparer> {
  switch (measure.kind) {
    case "relations":
      return relationsComparer(options, measure.relations, batchSize);
    case "principal":
      return principalComparer(options, measure.of, batchSize);
    case "pairs":
      return pairsComparer(options, measure.of, batchSize);
  }
}

/** Steps of both networks, the same one twice where they are one. */
async function openSteps(
  { backend, networks: [a, b] }: Needs,
  batchSize: number,
  represent: Parameters<typeof compileLayers>[3],
) {
  const rows = await compileLayers(backend, a, batchSize, represent);
  let columns: LayerStep;
  try {
    columns = a === b ? rows : await compileLayers(backend, b, batchSize, represent);
  } catch (error) {
    rows.close();
    throw error;
  }
  const run = async <T>(images: Uint8Array, prepare: (values: TypedArray, shape: readonly number[]) => T) => {
    const prepared = async (step: LayerStep) => (await step.run(images)).map(({ data, shape }) => prepare(data, shape));
    const first = await prepared(rows);
    return [first, rows === columns ? first : await prepared(columns)] as const;
  };
  const close = () => {
    rows.close();
    if (columns !== rows) columns.close();
  };
  return { layers: { rows: rows.layers, columns: columns.layers }, run, close };
}

const table = <A, B>(rows: readonly A[], columns: readonly B[], of: (a: A, b: B, i: number, j: number) => number) =>
  rows.map((a, i) => columns.map((b, j) => of(a, b, i, j)));

function dot(a: TypedArray, b: TypedArray): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** <A, B> / sqrt(<A, A> <B, B>), each a sum over batches: 0 where a layer never varies. */
async function relationsComparer(
  options: Needs,
  relations: Extract<Measure, { kind: "relations" }>["relations"],
  batchSize: number,
): Promise<Comparer> {
  const { layers, run, close } = await openSteps(options, batchSize, relations);
  const cross = table(layers.rows, layers.columns, () => 0);
  const own = [layers.rows.map(() => 0), layers.columns.map(() => 0)];
  return {
    layers,
    close,
    async add(images) {
      const sides = await run(images, (values) => values);
      sides.forEach((side, s) => {
        side.forEach((values, i) => {
          own[s][i] += dot(values, values);
        });
      });
      table(...sides, (a, b, i, j) => {
        cross[i][j] += dot(a, b);
        return 0;
      });
    },
    matrix: () => table(own[0], own[1], (a, b, i, j) => (a === 0 || b === 0 ? 0 : cross[i][j] / Math.sqrt(a * b))),
  };
}

async function principalComparer(
  options: Needs,
  similarity: (a: Principal, b: Principal) => number,
  batchSize: number,
): Promise<Comparer> {
  const { layers, run, close } = await openSteps(options, batchSize, (features) => features.flatten());
  let matrix: number[][] = [];
  return {
    layers,
    close,
    async add(images) {
      const sides = await run(images, (data, shape) => principal({ data: data as FeatureMatrix["data"], shape }));
      matrix = table(...sides, similarity);
    },
    matrix: () => matrix,
  };
}

/** One Step of both networks and all pairs. */
async function pairsComparer(
  { backend, networks: [a, b] }: Needs,
  similarity: Extract<Measure, { kind: "pairs" }>["of"],
  batchSize: number,
): Promise<Comparer> {
  let layers: Comparer["layers"] = { rows: [], columns: [] };
  const step = await inEvaluation(a.model, () =>
    inEvaluation(b.model, () =>
      compile(backend, { images: imageSpec(a.input, batchSize) }, ({ images }) => {
        const rows = observedLayers(a, images);
        const columns = a === b ? rows : observedLayers(b, images);
        layers = { rows: describeLayers(a, rows), columns: describeLayers(b, columns) };
        const pairs = rows.flatMap((row, i) =>
          columns.map((column, j) => [`${i},${j}`, similarity(row.tensor, column.tensor)] as const),
        );
        return Object.fromEntries(pairs);
      }),
    ),
  ).catch(explainLimit);
  let matrix: number[][] = [];
  return {
    layers,
    close: () => step.close(),
    async add(images) {
      const values = await step({ images });
      matrix = table([...layers.rows], [...layers.columns], (_a, _b, i, j) => values[`${i},${j}`].item());
    },
    matrix: () => matrix,
  };
}
