/**
 * Frame of the pooling and padding kernels, whose cores compute each result from a few elements: threads walk a box of
 * the result in strides, and each result goes through the fused epilogue. Binding windows cut the result into boxes.
 */
import { elementCount, type Kernel } from "@guidance/tensor";
import { type Box, splitSpace } from "../windows.ts";
import { emitStores, epilogueSpace, planLoads } from "./body.ts";
import { ShaderBuilder } from "./builder.ts";
import { epilogueOperands, expandDomain, type KernelOperand, setWindows } from "./conv2d-windows.ts";
import type { DeviceTraits, GeneratedKernel } from "./dispatch.ts";
import { loopGrid } from "./grid.ts";
import { knownPlace, linearPlace } from "./place.ts";

export interface ResultWalk {
  /** The result's elements in a factorization that suits the core. */
  readonly sizes: readonly number[];
  /** How finely each dimension may be cut; 0 forbids. */
  readonly granularity: readonly number[];
  /** Core operands larger than a binding. */
  readonly operands: readonly KernelOperand[];
  /** Prints the core's result at the coordinates (u32 names, counted from the whole result) and returns its name. */
  value(shader: ShaderBuilder, coordinates: readonly string[]): string;
}

export function walkResults(
  given: Kernel,
  overwrites: readonly (number | undefined)[],
  traits: DeviceTraits,
  walk: ResultWalk,
): GeneratedKernel {
  const { sizes, granularity } = walk;
  const kernel = expandDomain(given, sizes);
  // an epilogue that cannot be seen over these sizes binds all it reads and writes whole
  const inDomain = (box: Box): Box =>
    kernel.domain === sizes ? box : { start: kernel.domain.map(() => 0), size: kernel.domain };
  const operands = [...walk.operands, ...epilogueOperands(kernel, traits, inDomain)];
  const boxes = splitSpace(sizes, operands, traits, { granularity, label: kernel.label });
  const dispatches = boxes.map((box) => {
    const shader = new ShaderBuilder(kernel, overwrites, traits);
    setWindows(shader, operands, box);
    planLoads(shader, [epilogueSpace(kernel, 1)]);
    const count = elementCount(box.size);
    const { workgroupSize, workgroups } = loopGrid(count, traits);
    const total = shader.param("count", "u32", count);
    const step = shader.param("step", "u32", workgroupSize * workgroups[0]);
    shader.block(`for (var item = group.x * ${workgroupSize}u + lane; item < ${total}; item += ${step})`, () => {
      const local = linearPlace(shader, box.size, "item", "box");
      const coordinates = sizes.map((_, axis) =>
        shader.let(
          "coordinate",
          `${local.coordinate(axis)} + ${shader.param(`boxStart${axis}`, "u32", box.start[axis])}`,
        ),
      );
      const result = walk.value(shader, coordinates);
      emitStores(shader, kernel, {
        place: knownPlace(shader, sizes, coordinates, undefined, "result"),
        results: [result],
      });
    });
    return shader.build(workgroupSize, workgroups);
  });
  return { dispatches, scratch: [], family: "direct" };
}
