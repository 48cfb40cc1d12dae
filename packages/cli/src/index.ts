export { describeError } from "./errors.ts";
export { buildProgram } from "./program.ts";
