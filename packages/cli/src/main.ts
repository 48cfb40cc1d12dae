/** Entry of the `guidance` command: reads the arguments, runs a command, ends with one line where it fails. */
import { CommanderError } from "commander";
import { isDebug, reportError } from "./errors.ts";
import { buildProgram } from "./program.ts";

// whoever read the output has left (`guidance train | head`): the run is worth finishing all the same
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

try {
  await buildProgram().parseAsync();
} catch (error) {
  // commander has printed what it has to say
  process.exitCode = error instanceof CommanderError ? error.exitCode : reportError(error, isDebug());
}
