/** Generates the dispatches of kernels, each once: a network repeats its layers. */
import { exactJson, type Kernel } from "@guidance/tensor";
import type { DeviceTraits, GeneratedKernel } from "./kernels/dispatch.ts";
import { generateKernel } from "./kernels/index.ts";

type Overwrites = readonly (number | undefined)[];

type Content = Omit<Kernel, "label" | "path">;

/** Kernels kept by content; a plan has a few hundred. */
const MOST_KERNELS = 4096;

export class KernelCache {
  readonly #traits: DeviceTraits;
  readonly #byText = new Map<string, GeneratedKernel>();
  /** By outputs: making the text takes longer than all else. */
  readonly #texts = new WeakMap<Kernel["outputs"], { readonly content: Content; readonly text: string }>();

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
    const { label: _label, path: _path, ...content } = kernel;
    const known = this.#texts.get(kernel.outputs);
    if (known && sameParts(known.content, content)) return known.text;
    const text = exactJson(content);
    this.#texts.set(kernel.outputs, { content, text });
    return text;
  }
}

/** Whether two contents are made of the very same objects, as those of a network's equal layers are. */
function sameParts(a: Content, b: Content): boolean {
  return (
    a.inputs === b.inputs && a.domain === b.domain && a.core === b.core && a.body === b.body && a.outputs === b.outputs
  );
}
