// Tests that need a GPU, a browser or files of other packages cannot run everywhere, and a suite that silently skips them looks as green as one
// that ran them. So each such tier records in a folder whether it ran, the end of the run says it in words, and
// GUIDANCE_REQUIRE_<TIER>=1 turns absence into a failure. GUIDANCE_TIERS names another folder (nested runs use one).
//
// This file is also vitest's global setup: it empties the folder before a run and prints the report after it.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The tiers that depend on the machine. */
export const tiers = ["webgpu", "swiftshader", "browser", "photographs", "jq", "shells"] as const;
export type Tier = (typeof tiers)[number];

const folder = process.env.GUIDANCE_TIERS ?? fileURLToPath(new URL("../.tiers", import.meta.url));
const recordOf = (tier: Tier, ran: boolean) => join(folder, `${tier}.${ran ? "ran" : "missing"}`);

function record(tier: Tier, ran: boolean, detail: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(recordOf(tier, ran), `${detail}\n`);
}

/**
 * Opens what a tier needs and records that it ran.
 *
 * @param open opens the adapter, browser or backend; rejects where the machine has none
 * @param describe one line that names what was opened
 * @returns what `open` gave, or undefined where it is missing and not required
 * @throws what `open` threw, when `GUIDANCE_REQUIRE_<TIER>=1`
 */
export async function openTier<T>(
  tier: Tier,
  open: () => Promise<T>,
  describe: (opened: T) => string,
): Promise<T | undefined> {
  try {
    const opened = await open();
    record(tier, true, describe(opened));
    return opened;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    record(tier, false, reason);
    if (process.env[`GUIDANCE_REQUIRE_${tier.toUpperCase()}`] === "1") throw error;
    return undefined;
  }
}

/** One line a tier: what ran, what did not and why. */
function report(tier: Tier): string {
  const ran = recordOf(tier, true);
  const missing = recordOf(tier, false);
  if (existsSync(missing)) return `!!! TIER ${tier} DID NOT RUN: ${readFileSync(missing, "utf8").trim()}`;
  if (existsSync(ran)) return `tier ${tier} ran on ${readFileSync(ran, "utf8").trim()}`;
  return `!!! TIER ${tier} DID NOT RUN: no test of it was selected`;
}

export function setup(): void {
  rmSync(folder, { recursive: true, force: true });
}

export function teardown(): void {
  process.stdout.write(`\n${tiers.map(report).join("\n")}\n`);
}
