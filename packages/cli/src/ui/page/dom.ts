/** Elements of the page. What comes from runs is only ever text. */

/** An element with attributes and children. */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** The element with this id, which the page has. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

/** Changes a text, and nothing where it is the same. */
export function setText(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

/** A line as it is drawn in a chart. */
export function swatch(colour: string, dash: readonly number[]): SVGSVGElement {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const line = document.createElementNS(space, "line");
  const set = (node: Element, attributes: Record<string, string>) => {
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  };
  set(svg, { width: "22", height: "8", "aria-hidden": "true" });
  set(line, { x1: "0", x2: "22", y1: "4", y2: "4", stroke: colour, "stroke-width": "2.5" });
  set(line, { "stroke-dasharray": dash.join(" ") });
  svg.append(line);
  return svg;
}
