// The shared configuration, plus the report of which tiers (WebGPU, browser) really ran, and the longest files first.

import { mergeConfig } from "vitest/config";
import shared from "../vitest.config.ts";
import { LongestFirst } from "./support/longest-first.ts";

export default mergeConfig(shared, {
  test: { globalSetup: ["./support/tiers.ts"], sequence: { sequencer: LongestFirst } },
});
