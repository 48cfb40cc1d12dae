// The flag values of the WebGPU specification. A browser has them as globals (GPUBufferUsage, GPUMapMode), Node has not,
// and a library should not add globals to its user's process.

/** What a buffer may be used for; combine with `|`. */
export const bufferUsage = {
  mapRead: 0x0001,
  mapWrite: 0x0002,
  copySource: 0x0004,
  copyDestination: 0x0008,
  uniform: 0x0040,
  storage: 0x0080,
  indirect: 0x0100,
  queryResolve: 0x0200,
} as const;

/** How a buffer is mapped. */
export const mapMode = { read: 0x0001, write: 0x0002 } as const;
