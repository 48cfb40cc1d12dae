/**
 * The pickle of a state dict as torch writes it (protocol 2): an OrderedDict of tensors, each a contiguous view of a storage of
 * its own, whose key is its number.
 */

/** A tensor of the state dict; its elements are storage `<number>` of its place in the list. */
export interface PickledTensor {
  readonly name: string;
  /** Class of its storage in module `torch`. */
  readonly storage: string;
  readonly shape: readonly number[];
}

const [MARK, TUPLE, EMPTY_TUPLE, REDUCE] = ["(", "t", ")", "R"];
/** An empty OrderedDict. */
const ordered = ["ccollections\nOrderedDict\n", EMPTY_TUPLE, REDUCE];

type Part = string | Uint8Array;

function opcode(code: string, bytes: number, write: (view: DataView) => void): Uint8Array {
  const part = new Uint8Array(1 + bytes);
  part[0] = code.charCodeAt(0);
  write(new DataView(part.buffer, 1));
  return part;
}

function integer(value: number): Uint8Array {
  if (value < 2 ** 31) return opcode("J", 4, (view) => view.setInt32(0, value, true));
  // LONG1 of 8 bytes
  return opcode("\x8a", 9, (view) => {
    view.setUint8(0, 8);
    view.setBigInt64(1, BigInt(value), true);
  });
}

function text(value: string): Part[] {
  const bytes = new TextEncoder().encode(value);
  return [opcode("X", 4, (view) => view.setUint32(0, bytes.length, true)), bytes];
}

const tuple = (values: readonly number[]): Part[] => [MARK, ...values.map(integer), TUPLE];

/** Elements between neighbours along each axis of a contiguous tensor; torch counts sizes of 0 as 1. */
function contiguousStrides(shape: readonly number[]): number[] {
  return shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * Math.max(size, 1), 1));
}

function tensorParts({ name, storage, shape }: PickledTensor, key: number): Part[] {
  const count = shape.reduce((product, size) => product * size, 1);
  const storageId = [
    MARK,
    ...text("storage"),
    `ctorch\n${storage}\n`,
    ...text(`${key}`),
    ...text("cpu"),
    integer(count),
    TUPLE,
  ];
  // the arguments: storage, offset, shape, strides, requires_grad (false), backward hooks
  const views = [MARK, ...storageId, "Q", integer(0), ...tuple(shape), ...tuple(contiguousStrides(shape)), "\x89"];
  return [...text(name), "ctorch._utils\n_rebuild_tensor_v2\n", ...views, ...ordered, TUPLE, REDUCE];
}

/** The bytes of `data.pkl`. */
export function pickleStateDict(tensors: readonly PickledTensor[]): Uint8Array {
  const entries = tensors.flatMap((tensor, key) => tensorParts(tensor, key));
  const parts: Part[] = ["\x80\x02", ...ordered, MARK, ...entries, "u", "."];
  return Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : part)));
}
