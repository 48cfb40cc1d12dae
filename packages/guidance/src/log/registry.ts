/** Loggers by name: a plugin's own are registered here, and named with `--logger`. */
import { Registry } from "../registry.ts";
import type { OpenLogger } from "./logger.ts";
import { tensorboardLogger } from "./tensorboard.ts";

/** The name of the logger that every run has. */
export const TENSORBOARD = "tensorboard";

/** Loggers by name: what opens one for a network that is trained. */
export const loggers = new Registry<OpenLogger>("logger", { [TENSORBOARD]: tensorboardLogger }, "(start) => Logger");
