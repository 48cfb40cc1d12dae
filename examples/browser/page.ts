// The page: starts the worker that trains, and shows what it tells. Stopping ends the worker, and with it its device.

import { openCurves } from "./curves.ts";
import { type Message, networks, type Settings } from "./messages.ts";

const query = new URLSearchParams(location.search);
const form = document.querySelector("form")!;
const button = document.querySelector("button")!;
const svg = document.querySelector("svg")!;
const status = document.querySelector("#status")!;

const defaults: Settings = { layers: 50, width: 128, guideWidth: 16, guideSteps: 200, steps: 300, batch: 128 };

/** The settings, any of which the address may change: ?layers=20&steps=100. */
function settings(): Settings {
  const given = { ...Object.fromEntries(query), ...Object.fromEntries(new FormData(form)) } as Record<string, string>;
  const entries = Object.entries(defaults).map(([name, value]) => [name, Number(given[name] ?? value)]);
  return Object.fromEntries(entries);
}

for (const [name, value] of Object.entries(defaults)) {
  const field = form.elements.namedItem(name);
  if (field instanceof HTMLInputElement) field.value = query.get(name) ?? String(value);
}

let worker: Worker | undefined;

function stop(text: string): void {
  worker?.terminate();
  worker = undefined;
  button.textContent = "Start";
  status.textContent = text;
}

function start(): void {
  const chosen = settings();
  const curves = openCurves(svg, networks.slice(1), chosen.steps);
  for (const output of document.querySelectorAll("output")) output.textContent = "–";
  worker = new Worker("/training.js", { type: "module" });
  worker.addEventListener("error", ({ message }) => stop(`error: ${message}`));
  worker.addEventListener("message", ({ data }: MessageEvent<Message>) => {
    if (data.kind === "status") status.textContent = data.text;
    else if (data.kind === "done") stop(data.text);
    else if (data.kind === "error") stop(`error: ${data.text}`);
    else if (data.kind === "accuracy") show(`${data.network}-accuracy`, `${(100 * data.value).toFixed(1)} %`);
    else {
      show(`${data.network}-step`, String(data.step));
      show(`${data.network}-loss`, data.value.toFixed(3));
      curves.add(data.network, data.step, data.value);
    }
  });
  worker.postMessage(chosen);
  button.textContent = "Stop";
}

function show(name: string, text: string): void {
  const output = document.querySelector(`#${name}`);
  if (output) output.textContent = text;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (worker) stop("stopped");
  else start();
});

if (navigator.gpu) {
  status.textContent = "ready";
  button.disabled = false;
} else {
  status.textContent =
    "error: this page has no navigator.gpu. WebGPU needs a browser that has it, and https or 127.0.0.1; see webgpureport.org.";
}
