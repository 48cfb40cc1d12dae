// Keeps the arrows between packages pointing one way: cli -> guidance -> tensor <- shaders. A package is imported by its
// name alone, so that what its index.ts does not export stays private. `tensor` imports nothing from outside.
//
//   node scripts/lint/imports.mjs [repository root]

import { posix } from "node:path";
import { argv, cwd, exit } from "node:process";
import { sources } from "./sources.mjs";

/** Which packages each package may import. */
const allowed = {
  tensor: [],
  shaders: ["tensor"],
  guidance: ["tensor"],
  cli: ["tensor", "shaders", "guidance"],
  bench: ["tensor", "shaders", "guidance"],
  examples: ["tensor", "shaders", "guidance"],
  test: ["tensor", "shaders", "guidance", "cli"],
};

/** `import ... from "x"`, `export ... from "x"`, `import "x"`, `import("x")`. */
const specifiers = /\b(?:from|import)\s*\(?\s*["']([^"']+)["']/g;

/** The package a path lies in: the folder under packages/, bench, examples or test; undefined elsewhere. */
const packageOf = (path) => /^(?:packages\/([^/]+)|(bench|examples|test))\//.exec(path)?.slice(1).find(Boolean);

/** What is wrong with one import, or undefined. */
function fault({ path, isTest }, specifier) {
  const from = packageOf(path);
  if (from === undefined) return undefined;
  if (specifier.startsWith(".")) {
    const target = packageOf(posix.join(posix.dirname(path), specifier));
    return target && target !== from ? `reaches into ${target}; import @guidance/${target} instead` : undefined;
  }
  const [, to, inside] = /^@guidance\/([^/]+)(\/.*)?$/.exec(specifier) ?? [];
  if (to === from) return "imports its own package by name; use a relative path";
  if (to && !allowed[from]?.includes(to)) {
    return `${from} may import ${allowed[from]?.join(", ") || "no other package"}, not ${to}`;
  }
  if (inside) return `only the root of a package may be imported; export what you need from @guidance/${to}`;
  if (!to && from === "tensor" && !isTest && path.includes("/src/")) return "tensor has no dependencies";
  return undefined;
}

const faults = sources(argv[2] ?? cwd()).flatMap((file) =>
  [...file.text.matchAll(specifiers)].flatMap(([, specifier]) => {
    const reason = fault(file, specifier);
    return reason ? [`${file.path}: import of "${specifier}": ${reason}`] : [];
  }),
);
for (const line of faults) console.error(line);
exit(faults.length > 0 ? 1 : 0);
