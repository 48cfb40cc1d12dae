// A plugin lies anywhere and imports @guidance/tensor and @guidance/guidance by name. It must get the very modules the
// command runs on, whose registries it adds to, so these names are always looked up from here. And a plugin's TypeScript
// is a module with imports, also where no package.json nearby says so.
//
// Hooks of Node's module loader, registered by hooks.mjs.

const here = import.meta.url;
const source = /^file:(?!.*\/node_modules\/).*\.ts$/;

export async function resolve(specifier, context, next) {
  const from = specifier.startsWith("@guidance/") ? { ...context, parentURL: here } : context;
  const resolved = await next(specifier, from);
  return source.test(resolved.url) ? { ...resolved, format: "module" } : resolved;
}
