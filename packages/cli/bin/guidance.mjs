#!/usr/bin/env node
// Starts the TypeScript sources as they are: tsx translates on load, so a clone runs without a build step.
import { register as registerHooks } from "node:module";
import { register } from "tsx/esm/api";

process.setSourceMapsEnabled(true); // errors name lines of the sources, a plugin's included
register();
registerHooks("./resolve.mjs", import.meta.url);
await import("../src/main.ts");
