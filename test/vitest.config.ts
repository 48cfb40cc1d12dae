// The shared configuration, plus the report of which tiers (WebGPU, browser) really ran.

import { mergeConfig } from "vitest/config";
import shared from "../vitest.config.ts";

export default mergeConfig(shared, {
  test: { globalSetup: ["./support/tiers.ts"] },
});
