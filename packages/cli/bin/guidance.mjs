#!/usr/bin/env node
// Starts the TypeScript sources as they are: tsx translates on load, so a clone runs without a build step.
import { register } from "tsx/esm/api";

process.setSourceMapsEnabled(true); // errors name lines of the sources, a plugin's included
register();
await import("./hooks.mjs");
await import("../src/main.ts");
