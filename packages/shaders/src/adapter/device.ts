// A device together with what the rest of the backend has to know about it: who made it, what it can do, and what has
// gone wrong. WebGPU reports errors through an event, long after the call that caused them, and a lost device turns
// most calls into silent no-ops; both are kept here so that the backend can throw one JavaScript error in time.

import { BackendError, DeviceLostError } from "@guidance/tensor";

/** What runs the kernels. */
export type DeviceKind = "hardware" | "lavapipe" | "swiftshader" | "browser";

/** What openDevice found out about an adapter before it asked for the device. */
export interface AdapterFacts {
  readonly kind: DeviceKind;
  readonly info: GPUAdapterInfo;
  /** One line that says which faster device is an install away, where one is. */
  readonly hint?: string;
}

/** Milliseconds within which the reason of a loss is known, once a promise was rejected because of it. */
const REASON_PATIENCE = 500;

/** An open WebGPU device. It owns the device: close it when done. */
export class OpenedDevice {
  readonly device: GPUDevice;
  readonly kind: DeviceKind;
  /** Vendor, architecture, device and description, as the adapter gives them. */
  readonly info: GPUAdapterInfo;
  /** One line for people: which adapter this is. */
  readonly description: string;
  /** One line that says which faster device is an install away, where one is. */
  readonly hint: string | undefined;
  /** The limits the device was opened with: the adapter's own. */
  readonly limits: GPUSupportedLimits;
  /** The features the device was opened with. */
  readonly features: ReadonlySet<string>;
  /** Lanes in a subgroup, where subgroups are available and the adapter promises exactly one size. */
  readonly subgroupSize: number | undefined;
  /** Resolves when the device is lost or closed, with the reason. */
  readonly lost: Promise<string>;

  #lostReason: string | undefined;
  #closed = false;
  #errors: string[] = [];

  constructor(device: GPUDevice, facts: AdapterFacts) {
    const { info, kind, hint } = facts;
    this.device = device;
    this.kind = kind;
    this.info = info;
    this.hint = hint;
    this.description = describe(kind, info);
    this.limits = device.limits;
    this.features = new Set(device.features);
    this.subgroupSize = exactSubgroupSize(device, info);
    this.lost = device.lost.then(({ message, reason }) => {
      this.#lostReason = message.trim().replace(/\.$/, "") || reason || "no reason given";
      return this.#lostReason;
    });
    device.addEventListener("uncapturederror", (event) => {
      event.preventDefault(); // otherwise Dawn prints it
      this.#errors.push(event.error.message);
    });
  }

  /** Why the device cannot be used any more, or undefined while it can. */
  get lostReason(): string | undefined {
    return this.#closed ? "it was closed" : this.#lostReason;
  }

  /** Throws where the device was closed, or was lost: then DeviceLostError, with the reason. `what` asked for it. */
  check(what: string): void {
    if (this.#closed) throw new BackendError({ what, facts: `${this.description} was closed` });
    if (this.#lostReason === undefined) return;
    throw new DeviceLostError({
      what,
      facts: `the device was lost (${this.#lostReason}): ${this.description}`,
      hint: "Its driver gave up or was reset: try again, and if it happens again take a smaller batch or another device",
    });
  }

  /**
   * What a rejected promise of WebGPU means: the device was lost, which is told with the reason as soon as that is known,
   * or what was reported of the device, or `cause` itself.
   */
  async explain(what: string, cause: unknown): Promise<unknown> {
    if (cause instanceof Error && cause.name === "AbortError") {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise((resolve) => {
        timer = setTimeout(resolve, REASON_PATIENCE);
      });
      await Promise.race([this.lost, late]);
      clearTimeout(timer);
    }
    try {
      this.check(what);
    } catch (error) {
      return error;
    }
    return this.takeError() ?? cause;
  }

  /**
   * Takes the errors that WebGPU has reported since the last call.
   *
   * One mistake makes a cascade (shader module, pipeline, bind group, command buffer): the first is the cause.
   *
   * @returns one Error whose message is the first report and counts the others, or undefined
   */
  takeError(): Error | undefined {
    const [first, ...others] = this.#errors;
    this.#errors = [];
    if (first === undefined) return undefined;
    const more = others.length > 0 ? ` (and ${others.length} more that followed from it)` : "";
    return new Error(`WebGPU reported an error on ${this.description}: ${first}${more}`, { cause: others });
  }

  /** Destroys the device and everything made from it, after the work in flight. Closing twice is harmless. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.device.destroy();
  }
}

/** The size every subgroup has. Chromium and Dawn give a range; only a range of one value can be relied on. */
function exactSubgroupSize(device: GPUDevice, info: GPUAdapterInfo): number | undefined {
  if (!device.features.has("subgroups")) return undefined;
  return info.subgroupMinSize === info.subgroupMaxSize ? info.subgroupMinSize : undefined;
}

/** Names an adapter in one line. Browsers hide the description and the device, so any part may be empty. */
function describe(kind: DeviceKind, info: GPUAdapterInfo): string {
  const name = info.description || [info.vendor, info.architecture, info.device].filter(Boolean).join(" ");
  return `${kind}: ${name || "adapter without a name"}`;
}
