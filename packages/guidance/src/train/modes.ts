/** Training and evaluation mode of every layer of a network: one that its author froze stays frozen. */
import type { nn } from "@guidance/tensor";

/** What `body` gives with all of `network` in evaluation mode; then each layer is in the mode it was in. */
export async function inEvaluation<T>(network: nn.Module, body: () => Promise<T>): Promise<T> {
  const modes = network.namedModules().map(([, layer]) => [layer, layer.training] as const);
  network.eval();
  try {
    return await body();
  } finally {
    for (const [layer, training] of modes) layer.training = training;
  }
}
