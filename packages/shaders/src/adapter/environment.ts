// The same sources run in Node and, bundled, in a browser. A bundler follows every import it can read, so nothing here
// imports a Node module: built-in modules come from process.getBuiltinModule, and others by a name it cannot see through.

/** Whether WebGPU must be opened through Dawn: in Node, unless the runtime itself offers `navigator.gpu`. */
export function inNode(): boolean {
  return typeof process !== "undefined" && typeof process.getBuiltinModule === "function" && !browserGpu();
}

/** The `navigator.gpu` of a browser, if there is one. */
export function browserGpu(): GPU | undefined {
  return typeof navigator === "undefined" ? undefined : (navigator.gpu as GPU | undefined);
}

/** Imports a package by a name known at run time only, so that bundlers leave it alone. */
export function importAtRunTime(name: string): Promise<unknown> {
  return import(/* @vite-ignore */ /* webpackIgnore: true */ name);
}
