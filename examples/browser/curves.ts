// The chart: loss over steps, one line for each student, in SVG, so that the page's colours decide how it looks.

const size = { width: 640, height: 320 };
const margin = { left: 40, right: 12, top: 12, bottom: 32 };
const inner = {
  width: size.width - margin.left - margin.right,
  height: size.height - margin.top - margin.bottom,
};
/** The loss of guessing among ten classes is ln 10 = 2.3. */
const highest = 3;

function element(name: string, attributes: Readonly<Record<string, string | number>>, text = ""): SVGElement {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.textContent = text;
  return made;
}

/** An empty chart of `steps` steps in `svg`; `add` draws on the line of a class. */
export function openCurves(svg: SVGSVGElement, names: readonly string[], steps: number) {
  const x = (step: number) => margin.left + (inner.width * step) / steps;
  const y = (loss: number) => margin.top + inner.height * (1 - Math.min(loss, highest) / highest);
  const right = size.width - margin.right;
  svg.setAttribute("viewBox", `0 0 ${size.width} ${size.height}`);
  svg.replaceChildren();
  for (let loss = 0; loss <= highest; loss++) {
    svg.append(element("line", { x1: margin.left, x2: right, y1: y(loss), y2: y(loss), class: "grid" }));
    svg.append(element("text", { x: margin.left - 8, y: y(loss) + 4, "text-anchor": "end" }, String(loss)));
  }
  for (const step of [0, steps / 2, steps]) {
    svg.append(element("text", { x: x(step), y: size.height - 10, "text-anchor": "middle" }, String(Math.round(step))));
  }
  const lines = new Map(names.map((name) => [name, element("polyline", { class: `curve ${name}`, points: "" })]));
  svg.append(...lines.values());
  return {
    add(name: string, step: number, loss: number) {
      const line = lines.get(name);
      line?.setAttribute("points", `${line.getAttribute("points")} ${x(step).toFixed(1)},${y(loss).toFixed(1)}`);
    },
  };
}
