// A plugin lies anywhere and imports @guidance/tensor and @guidance/guidance by name. It must get the very modules the
// command runs on, whose registries it adds to, so these names are always looked up from here. And a plugin's TypeScript
// is a module with imports, also where no package.json nearby says so.
//
// The sources of this repository name each other by file: there is nothing to look up, which is most of the work of a start.
//
// Hooks of Node's module loader, registered by hooks.mjs.

const here = import.meta.url;
const source = /^file:(?!.*\/node_modules\/).*\.ts$/;
/** Where these sources are. */
const own = new URL("../../", here).href;

export async function resolve(specifier, context, next) {
  if (specifier.startsWith(".") && specifier.endsWith(".ts") && context.parentURL?.startsWith(own)) {
    return { url: new URL(specifier, context.parentURL).href, format: "module", shortCircuit: true };
  }
  const from = specifier.startsWith("@guidance/") ? { ...context, parentURL: here } : context;
  const resolved = await next(specifier, from);
  return source.test(resolved.url) ? { ...resolved, format: "module" } : resolved;
}
