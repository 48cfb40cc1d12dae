#!/usr/bin/env node
// Starts the TypeScript sources as they are.
import { register } from "tsx/esm/api";

register();
await import("../src/main.ts");
