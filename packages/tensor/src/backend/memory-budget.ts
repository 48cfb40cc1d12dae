/** Memory of the machine that a backend may take whose kernels run on its CPU. */

/** Share of the free memory. */
const BUDGET_SHARE = 0.7;

/** What Node has and a browser has not. */
interface Host {
  readonly process?: { getBuiltinModule?(name: "node:os"): { freemem(): number } };
}

/** Bytes that all buffers of such a backend may take: 70 % of the free memory; Infinity where that is not known. */
export function memoryBudget(): number {
  const os = (globalThis as Host).process?.getBuiltinModule?.("node:os");
  return os ? Math.floor(os.freemem() * BUDGET_SHARE) : Infinity;
}
