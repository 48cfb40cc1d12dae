/** What shows a comparison: a heat map, and the files. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Comparison, encodeJson, type JsonObject, type JsonValue, writeFileAtomic } from "@guidance/guidance";
import { type HeatMap, heatMapSvg, similarityRange } from "../figures/heat-map.ts";
import { checkFolder, checkFree } from "./output-file.ts";
import { svgToPng } from "./png.ts";

/** What a result is of. */
export type Facts = JsonObject & {
  readonly similarity: string;
  readonly samples: number;
  readonly data: string;
  readonly models: readonly string[];
};

/** The comparison as a heat map. */
export function comparisonMap(
  { rows, columns, matrix }: Comparison,
  { similarity, estimator, samples, data, models }: Facts,
): HeatMap {
  const names = (layers: Comparison["rows"]) => layers.map(({ name }) => name);
  return {
    title: `${similarity} (${estimator}) on ${samples} images of ${data}`,
    rows: { title: models[0], names: names(rows) },
    columns: { title: models[1], names: names(columns) },
    values: matrix,
    legend: similarity,
    range: similarityRange(matrix),
  };
}

const names = ["compare.svg", "compare.png", "compare.csv", "compare.json"] as const;

/** Throws RunError where there can be no such folder, or one of the files is in it and may not be replaced. */
export async function checkFiles(folder: string, force?: boolean): Promise<void> {
  await checkFolder("compare", folder);
  for (const name of names) await checkFree("compare", join(folder, name), force);
}

/** The result as JSON; numbers that are not finite are strings. */
export function comparisonJson({ rows, columns, matrix }: Comparison, facts: Facts): string {
  return encodeJson({ version: 1, ...facts, rows, columns, matrix } as unknown as JsonValue, 2);
}

/** RFC 4180: names of columns in the first line, those of rows in the first column. */
export function comparisonCsv({ rows, columns, values }: HeatMap): string {
  const quote = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = [["", ...columns.names], ...values.map((row, i) => [rows.names[i], ...row.map(String)])];
  return `${lines.map((line) => line.map(quote).join(",")).join("\n")}\n`;
}

export async function writeFiles(folder: string, map: HeatMap, json: string): Promise<void> {
  const svg = heatMapSvg(map);
  const png = await svgToPng(svg);
  await mkdir(folder, { recursive: true });
  const contents = [svg, png, comparisonCsv(map), `${json}\n`];
  for (const [i, name] of names.entries()) await writeFileAtomic(join(folder, name), contents[i]);
}
