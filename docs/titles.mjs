// TypeDoc calls a page by its file's name; here it gets the title that stands in its first line.

import { Converter } from "typedoc";

/** @param {import("typedoc").Application} app */
export function load(app) {
  app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_context, page) => {
    const [title] = page.content;
    const heading = /^# (.+)\n+/.exec(title?.kind === "text" ? title.text : "");
    if (heading) page.name = heading[1];
  });
}
