// Starts decode-worker from its TypeScript source: a thread has hooks of its own to translate it on load.
import { register } from "tsx/esm/api";

register();
await import("./decode-worker.ts");
