// Models with the fixtures' weights.

import { ResNet18 } from "@guidance/guidance";
import type { nn } from "@guidance/tensor";
import { makeTensor, type RealSpec } from "./fixtures.ts";

/** Specs by torch's `state_dict` name. */
export type WeightSpecs = Readonly<Record<string, RealSpec>>;

/** Gives every parameter but those of batch norms the values of its spec; throws where the names do not match. */
export function loadWeights(model: nn.Module<unknown>, specs: WeightSpecs): void {
  const own = new Map(model.namedVariables());
  const norms = [...own.keys()].flatMap((name) => /^(.*\.)running_mean$/.exec(name)?.[1] ?? []);
  const expected = [...own.keys()].filter((name) => !norms.some((norm) => name.startsWith(norm)));
  const given = Object.keys(specs);
  if (expected.sort().join() !== [...given].sort().join()) {
    throw new Error(`The fixture's weights are ${given.join(", ")}; the model's are ${expected.join(", ")}`);
  }
  for (const [name, spec] of Object.entries(specs)) {
    const variable = own.get(name);
    const { data, shape } = makeTensor(spec);
    if (variable?.shape.join() !== shape.join()) throw new Error(`"${name}" is [${shape}] in the fixture`);
    variable.write(data);
  }
}

/** torchvision's resnet18(num_classes=1000) with these weights. */
export function makeResNet18(weights: WeightSpecs): ResNet18 {
  const model = new ResNet18();
  loadWeights(model, weights);
  return model;
}
