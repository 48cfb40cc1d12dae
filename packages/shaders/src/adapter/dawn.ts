// Adapters in Node, through Dawn (npm `webgpu`). Dawn's instance looks for Vulkan drivers when its first adapter is
// requested and remembers what it found, so each way of looking gets an instance of its own.

import type { AdapterFacts, DeviceKind } from "./device.ts";
import { importAtRunTime } from "./environment.ts";
import { hintFor } from "./hints.ts";
import { swiftshaderObstacle, withSwiftshader } from "./swiftshader.ts";

/** An adapter and what is known about it. */
export interface FoundAdapter {
  readonly adapter: GPUAdapter;
  readonly facts: AdapterFacts;
}

/** Timestamps are rounded to 65 microseconds for the sake of web pages; a kernel takes less. */
const exactTimes = "disable-dawn-features=timestamp_quantization";

/** Ways to look for an adapter, by the flags Dawn is created with. */
const dawnFlags = {
  system: [exactTimes],
  lavapipe: [exactTimes, "adapter=llvmpipe"],
  swiftshader: [exactTimes],
} satisfies Record<string, string[]>;
type Search = keyof typeof dawnFlags;

/**
 * The instances in use, for the life of the process: when the object that create() returned is collected while a device
 * or a buffer made from it is still alive, the process aborts.
 */
const instances = new Map<Search, GPU>();

async function requestAdapter(search: Search): Promise<GPUAdapter | null> {
  const { create } = (await importAtRunTime("webgpu")) as { create(flags: string[]): GPU };
  const instance = instances.get(search) ?? create(dawnFlags[search]);
  // Where several adapters exist this puts discrete GPUs first and software last.
  const adapter = await instance.requestAdapter({ powerPreference: "high-performance" });
  if (adapter) instances.set(search, instance);
  return adapter;
}

function kindOf({ vendor, architecture }: GPUAdapterInfo): DeviceKind {
  if (architecture === "swiftshader") return "swiftshader";
  return vendor === "mesa" && architecture === "software" ? "lavapipe" : "hardware";
}

function found(adapter: GPUAdapter | null): FoundAdapter | undefined {
  if (!adapter) return undefined;
  const kind = kindOf(adapter.info);
  return { adapter, facts: { kind, info: adapter.info, hint: hintFor(kind) } };
}

/** The best adapter of the system's own drivers. */
export async function findSystemAdapter(): Promise<FoundAdapter | undefined> {
  prepareEnvironment();
  return found(await requestAdapter("system"));
}

/** Mesa's software driver, also where a GPU would be preferred. */
export async function findLavapipe(): Promise<FoundAdapter | undefined> {
  prepareEnvironment();
  try {
    return found(await requestAdapter("lavapipe"));
  } catch {
    return undefined; // Dawn rejects, rather than giving null, when no adapter has the name
  }
}

/** The software driver of the optional npm package; undefined where it cannot be used. */
export async function findSwiftshader(): Promise<FoundAdapter | undefined> {
  if (swiftshaderObstacle()) return undefined;
  prepareEnvironment();
  return found(await withSwiftshader(() => requestAdapter("swiftshader")));
}

/** Mesa warns on every start where there is no runtime folder, as in containers; a temporary one does. */
function prepareEnvironment(): void {
  if (process.platform === "linux" && !process.env.XDG_RUNTIME_DIR) {
    process.env.XDG_RUNTIME_DIR = process.getBuiltinModule("node:os").tmpdir();
  }
}
