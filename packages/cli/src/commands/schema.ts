/** `guidance schema`: the JSON Schema of configuration files, for editors. */
import { configFileSchema } from "@guidance/guidance";
import type { Command } from "commander";
import { addExamples } from "../examples.ts";

export function addSchema(program: Command): void {
  const command = program
    .command("schema")
    .description("print the JSON Schema of configuration files (--config), which editors complete and check them by")
    .action(() => console.log(JSON.stringify(configFileSchema(), undefined, 2)));
  addExamples(command, [["> guidance.schema.json", "for `# yaml-language-server: $schema=guidance.schema.json`"]]);
}
