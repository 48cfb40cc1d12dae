// Makes plugins importable, in the command and in each of its threads.

import { register } from "node:module";

register("./resolve.mjs", import.meta.url);
