/**
 * What the globals of a state dict stand for: tensors as views of storages, described but not read. Each is checked when it
 * is made: a view that leaves its storage never gets further.
 *
 * Source: torch/_utils.py (`_rebuild_tensor_v2`, `_rebuild_parameter`) and torch/serialization.py (`persistent_id`).
 */

import { quote } from "./pickle-cursor.ts";
import { Dict, type Fail, Global, type PickleHost, Tuple } from "./pickle-values.ts";
import { type TorchType, torchTypes } from "./torch-types.ts";

/** Elements that tensors share. */
export interface Storage {
  readonly key: string;
  readonly type: TorchType;
  /** Elements it has. */
  readonly size: number;
}

/** A view of a storage. */
export class TorchTensor {
  readonly storage: Storage;
  /** Of its first element in the storage. */
  readonly offset: number;
  readonly shape: readonly number[];
  /** Elements between neighbours along each axis. */
  readonly strides: readonly number[];

  constructor(storage: Storage, offset: number, shape: readonly number[], strides: readonly number[]) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }

  /** Elements it has. */
  get count(): number {
    return this.shape.reduce((product, size) => product * size, 1);
  }

  /** Elements of its storage from its first to its last. */
  get span(): number {
    if (this.shape.includes(0)) return 0;
    return this.shape.reduce((sum, size, axis) => sum + (size - 1) * this.strides[axis], 1);
  }

  /** Whether it lies row by row without gaps. */
  get isContiguous(): boolean {
    let stride = 1;
    for (let axis = this.shape.length - 1; axis >= 0; axis--) {
      if (this.shape[axis] !== 1 && this.strides[axis] !== stride) return false;
      stride *= this.shape[axis];
    }
    return true;
  }
}

/** A part of a storage, as legacy files have them; others are whole. */
interface StorageView {
  readonly storage: Storage;
  readonly offset: number;
  readonly size: number;
}

/** Most axes of a tensor, as in torch. */
const MOST_AXES = 64;

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isView = (value: unknown): value is StorageView =>
  typeof value === "object" && value !== null && "storage" in value && "size" in value;

function sizes(value: unknown): readonly number[] | undefined {
  const items = value instanceof Tuple ? value.items : undefined;
  return items && items.length <= MOST_AXES && items.every(isSize) ? items : undefined;
}

function rebuildTensor(args: readonly unknown[], fail: Fail): TorchTensor {
  const [view, offset, size, stride] = args;
  const [shape, strides] = [sizes(size), sizes(stride)];
  if (!isView(view) || !isSize(offset) || !shape || !strides || shape.length !== strides.length) {
    return fail("a tensor is made of other things than storage, offset, shape and strides");
  }
  const tensor = new TorchTensor(view.storage, view.offset + offset, shape, strides);
  const { span } = tensor;
  if (!isSize(tensor.count) || !isSize(span) || offset + span > view.size) {
    const described = `shape [${shape.join(", ")}], strides [${strides.join(", ")}] and offset ${offset}`;
    return fail(`a tensor of ${described} leaves its storage`, `at most its ${view.size} elements`);
  }
  return tensor;
}

function rebuildParameter([tensor]: readonly unknown[], fail: Fail): TorchTensor {
  return tensor instanceof TorchTensor ? tensor : fail("a parameter is made of what is no tensor");
}

/** An empty OrderedDict: copies of a long list would take more time and memory than the pickle has bytes. */
function orderedDict(args: readonly unknown[], fail: Fail): Dict {
  return args.length === 0 ? new Dict() : fail("an OrderedDict is made of other things than entries");
}

function torchSize(args: readonly unknown[], fail: Fail): Tuple {
  const shape = sizes(args[0]);
  return shape ? new Tuple(shape) : fail("a torch.Size is made of other things than sizes");
}

const storageGlobals = new Map(Object.keys(torchTypes).map((name) => [`torch.${name}`, new Global(name)]));
const globals = new Map([
  ...storageGlobals,
  ...[
    new Global("torch._utils._rebuild_tensor_v2", rebuildTensor),
    new Global("torch._utils._rebuild_parameter", rebuildParameter),
    new Global("collections.OrderedDict", orderedDict),
    new Global("torch.Size", torchSize),
  ].map((global): [string, Global] => [global.name, global]),
]);

/** Gathers the storages that the pickle of one file names. */
export class TorchObjects implements PickleHost {
  readonly storages = new Map<string, Storage>();

  global(name: string): Global | undefined {
    return globals.get(name);
  }

  /** A storage: ("storage", its class, key, device, elements), in legacy files with a view of it or None as a sixth. */
  persistent(id: unknown, fail: Fail): StorageView {
    const [kind, type, key, , size, part = null] = id instanceof Tuple ? id.items : [];
    const known = type instanceof Global ? torchTypes[type.name] : undefined;
    if (kind !== "storage" || !known || typeof key !== "string" || !isSize(size)) {
      return fail("an object is named that is no storage of elements this program knows");
    }
    const storage = this.storages.get(key) ?? { key, type: known, size };
    if (storage.type !== known || storage.size !== size) fail(`storage ${quote(key)} is described in two ways`);
    this.storages.set(key, storage);
    if (part === null) return { storage, offset: 0, size };
    const [, offset, partSize] = part instanceof Tuple ? part.items : [];
    if (!isSize(offset) || !isSize(partSize) || offset + partSize > size) {
      return fail(`a part of storage ${quote(key)} leaves it`, `at most its ${size} elements`);
    }
    return { storage, offset, size: partSize };
  }
}

/** The tensors of what a file holds: itself, or its `state_dict` or `model`; `module.` (of DataParallel) is left out. */
export function tensorsOf(value: unknown, fail: Fail): Map<string, TorchTensor> {
  if (!(value instanceof Dict)) return fail("the file holds no dict", "a dict of tensors");
  const inner = ["state_dict", "model"].map((key) => value.entries.get(key)).find((found) => found instanceof Dict);
  const entries = [...((inner as Dict | undefined) ?? value).entries];
  const prefix = "module.";
  const isWrapped = entries.every(([name]) => typeof name === "string" && name.startsWith(prefix));
  const named = entries.map(([name, tensor]): [string, TorchTensor] => {
    if (typeof name !== "string") return fail("an entry of the state dict has a name that is no text");
    if (!(tensor instanceof TorchTensor)) return fail(`the entry ${quote(name)} of the state dict is no tensor`);
    return [isWrapped ? name.slice(prefix.length) : name, tensor];
  });
  return new Map(named);
}
