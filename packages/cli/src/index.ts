export { describeError } from "./errors.ts";
export { buildProgram } from "./program.ts";
export { serveUi, type Ui } from "./ui/server/server.ts";
