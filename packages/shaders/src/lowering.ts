/** Generates the dispatches of kernels, each once: a network repeats its layers. */
import { exactJson, type Kernel } from "@guidance/tensor";
import type { DeviceTraits, GeneratedKernel } from "./kernels/dispatch.ts";
import { generateKernel } from "./kernels/index.ts";

type Overwrites = readonly (number | undefined)[];

/** Kernels kept by content; a plan has a few hundred. */
const MOST_KERNELS = 4096;

export class KernelCache {
  readonly #traits: DeviceTraits;
  readonly #byText = new Map<string, GeneratedKernel>();
  /** The text of a kernel is longer than the search for it. */
  readonly #texts = new WeakMap<Kernel, string>();

  constructor(traits: DeviceTraits) {
    this.#traits = traits;
  }

  generate(kernel: Kernel, overwrites: Overwrites): GeneratedKernel {
    const key = `${overwrites.map((input) => input ?? "-").join()} ${this.#textOf(kernel)}`;
    let generated = this.#byText.get(key);
    if (!generated) {
      generated = generateKernel(kernel, overwrites, this.#traits);
      const oldest = this.#byText.keys().next();
      if (this.#byText.size >= MOST_KERNELS && !oldest.done) this.#byText.delete(oldest.value);
      this.#byText.set(key, generated);
    }
    return generated;
  }

  #textOf(kernel: Kernel): string {
    let text = this.#texts.get(kernel);
    if (text === undefined) {
      const { label: _label, path: _path, ...content } = kernel;
      text = exactJson(content);
      this.#texts.set(kernel, text);
    }
    return text;
  }
}
