// docs/commands.md says what the command line says. With -u the page is written anew.

import { expect, test } from "vitest";
import { commandsPage } from "./commands.ts";

test("the page of commands is up to date", async () => {
  await expect(commandsPage()).toMatchFileSnapshot("../../docs/commands.md");
});
