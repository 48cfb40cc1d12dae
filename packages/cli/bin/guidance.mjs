#!/usr/bin/env node
// Starts the TypeScript sources as they are: tsx translates on load, so a clone runs without a build step.
import { register } from "tsx/esm/api";

register();
await import("../src/main.ts");
