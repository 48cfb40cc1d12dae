/** HTML from data: every text goes through `escapeText`. */
import { escapeText } from "../figures/svg.ts";

/** Text that is HTML already. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

type Part = string | Html | readonly Html[];

function partText(part: Part): string {
  if (part instanceof Html) return part.text;
  return typeof part === "string" ? escapeText(part) : part.map(({ text }) => text).join("");
}

/** HTML with parts in it, of which texts are escaped. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(strings.map((text, i) => (i === 0 ? "" : partText(parts[i - 1])) + text).join(""));
}

export interface Row {
  readonly cells: readonly string[];
  /** Stands out. */
  readonly marked?: boolean;
}

/** A table that is scrolled sideways where it is too wide; the first cell of each row names it. */
export function htmlTable(head: readonly string[], rows: readonly Row[]): Html {
  const headings = head.map((text) => html`<th scope="col">${text}</th>`);
  const body = rows.map(({ cells: [name, ...cells], marked }) => {
    const rest = cells.map((cell) => html`<td>${cell}</td>`);
    const start = marked ? html`<tr class="differs">` : html`<tr>`;
    return html`${start}<th scope="row">${name}</th>${rest}</tr>\n`;
  });
  return html`<div class="wide"><table><thead><tr>${headings}</tr></thead><tbody>\n${body}</tbody></table></div>\n`;
}
