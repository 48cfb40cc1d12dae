/** Which f32 tensors hold halves, so that whoever stores or reads them can do with 16 bits. */
import type { Tensor } from "./tensor.ts";

/** Whether a tensor is the f32 values of an f16 tensor, which whoever reads it can read instead. */
export function isWidening({ op, inputs }: Tensor): boolean {
  return op.name === "castF32" && inputs[0].dtype === "f16";
}

/** Ops whose results are halves wherever their first argument is one. */
const keepsHalves: ReadonlySet<string> = new Set(["relu", "neg", "abs", "detach", "poolGather", "custom"]);

/** Whether every value of an f32 tensor is a half, so that storing it as f16 loses nothing. */
export function holdsHalves(tensor: Tensor): boolean {
  if (isWidening(tensor)) return true;
  const keeps = tensor.op.family === "movement" || keepsHalves.has(tensor.op.name);
  return keeps && tensor.inputs[0].dtype === "f32" && holdsHalves(tensor.inputs[0]);
}
