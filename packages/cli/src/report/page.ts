/**
 * Runs as one HTML page: scores, figures, configuration, environment. It has no script and refers to nothing outside, follows
 * the reader's light or dark, prints, and fits a phone, where wide figures and tables are scrolled sideways.
 */
import {
  type ArmHistory,
  encodeJson,
  flatten,
  isJsonObject,
  type JsonObject,
  type JsonValue,
} from "@guidance/guidance";
import type { RecordedRun } from "../commands/recorded.ts";
import { settingNames } from "../figures/names.ts";
import { FIGURES, runFigure } from "../figures/run-figures.ts";
import { Html, html, htmlTable } from "./html.ts";
import { caveats, resultRows } from "./summary.ts";

const STYLE = `
:root { color-scheme: light dark; --rule: #8884; --mark: #ffd54f4d; }
body { font: 16px/1.5 ui-sans-serif, system-ui, sans-serif; max-width: 1200px; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2rem; border-bottom: 1px solid var(--rule); }
h3 { font-size: 1rem; margin-bottom: .3rem; overflow-wrap: anywhere; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 500px), 1fr)); gap: 1rem; align-items: start; }
figure, .wide { margin: 0; overflow-x: auto; }
figure.map { grid-column: 1 / -1; }
figure svg { display: block; height: auto; width: 100%; min-width: 460px; max-width: 620px; }
figure.map svg { width: auto; max-width: none; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .15rem .8rem .15rem 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
.scores td, .scores thead th { white-space: nowrap; }
tbody th { font-weight: normal; } td { max-width: 40rem; overflow-wrap: break-word; }
.differs { background: var(--mark); } .differs th { font-weight: 600; }
.note { border-left: 3px solid #d55e00; padding-left: .6rem; }
@media print { body { max-width: none; } figure, tr { break-inside: avoid; } figure svg { min-width: 0; } figure.map svg { max-width: 100%; } }
`;

export function reportPage(runs: readonly RecordedRun[]): string {
  const title = `Report: ${runs.map(({ name }) => name).join(", ")}`;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<h1>${title}</h1>
<h2>Results</h2>
${runs.map((run) => results(run, runs.length > 1))}
<h2>Figures</h2>
<div class="figures">
${figures(runs)}</div>
<h2>Configuration</h2>
${configuration(runs)}
<h2>Environment</h2>
${runs.map((run) => environment(run, runs.length > 1))}
</body>
</html>
`;
  return page.text;
}

const heading = ({ name }: RecordedRun, several: boolean): Html => (several ? html`<h3>${name}</h3>\n` : html``);

function results(run: RecordedRun, several: boolean): Html {
  const { summary } = run.history;
  if (!summary) return html`${heading(run, several)}${unfinished(run)}`;
  const [head, ...rows] = resultRows(summary);
  const notes = caveats(run.config).map((line) => html`<p>${line}</p>\n`);
  const scores = htmlTable(
    head,
    rows.map((cells) => ({ cells })),
  );
  return html`${heading(run, several)}<div class="scores">${scores}</div>\n${notes}`;
}

function unfinished({ folder, history }: RecordedRun): Html {
  const state = ({ arm, steps, validations }: ArmHistory): Html => {
    const [last, score] = [steps.at(-1), validations.at(-1)];
    const done = last ? `${last.step} of ${last.totalSteps} steps` : "no step yet";
    const top = score ? `, validation after step ${score.step}: top-1 ${(100 * score.top1).toFixed(1)} %` : "";
    return html`<li>${arm}: ${done}${top}</li>\n`;
  };
  const arms =
    history.arms.length > 0
      ? html`<ul>\n${history.arms.map(state)}</ul>\n`
      : html`<p>It has recorded no step yet.</p>\n`;
  const resume = `guidance train --resume ${folder}`;
  return html`<p class="note">This run is not finished: there are no test scores. If it was stopped, <code>${resume}</code> goes on with it.</p>\n${arms}`;
}

function figures(runs: readonly RecordedRun[]): Html[] {
  return FIGURES.flatMap((name) => {
    const svgs = runFigure(name, runs);
    const kind = name === "layers" || name === "gradients" ? html`<figure class="map">` : html`<figure>`;
    return svgs.map((svg) => html`${kind}\n${new Html(svg)}</figure>\n`);
  });
}

const valueText = (value: JsonValue | undefined): string =>
  value === undefined ? "" : typeof value === "string" ? value : encodeJson(value);

/** Every field; of several runs those that differ come first, and stand out. */
function configuration(runs: readonly RecordedRun[]): Html {
  const fields = runs.map(({ config }) => new Map(flatten(config as unknown as JsonObject)));
  const rows = settingNames(fields.map((each) => each.keys())).map((name) => {
    const values = fields.map((each) => valueText(each.get(name)));
    return { cells: [name, ...values], marked: new Set(values).size > 1 };
  });
  const sorted = [...rows.filter(({ marked }) => marked), ...rows.filter(({ marked }) => !marked)];
  return htmlTable(["field", ...runs.map(({ name }) => name)], sorted);
}

/** What it ran on, start by start. */
function environment(run: RecordedRun, several: boolean): Html {
  const { starts } = run;
  const rows = [...new Set(starts.flatMap((start) => Object.keys(start)))].map((field) => {
    const text = (value: JsonValue | undefined) =>
      Array.isArray(value) && value.every((part) => !isJsonObject(part))
        ? value.map(valueText).join(" ")
        : valueText(value);
    return { cells: [field, ...starts.map((start) => text(start[field]))] };
  });
  const head = starts.map((_, i) => (i === 0 ? "start" : `resumed ${i}`));
  return html`${heading(run, several)}${htmlTable(["", ...head], rows)}`;
}
