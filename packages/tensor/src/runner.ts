/**
 * Runner: owns the buffers of a compiled graph and runs its program. Up to `RUNS_IN_FLIGHT` runs are under way at
 * once; a call beyond that waits, in the order of the calls, with a copy of its inputs.
 */
import type { Backend, DeviceBuffer, Program } from "./backend/backend.ts";
import { checkLimits } from "./compile/limits.ts";
import type { CompiledGraph } from "./compile/pipeline.ts";
import { type Plan, RUNS_IN_FLIGHT } from "./compile/plan.ts";
import { type TypedArray, viewAs } from "./dtype.ts";
import { BackendError } from "./errors.ts";
import { storageArray } from "./host-array.ts";
import { HostValue } from "./host-value.ts";
import type { ArrayAttrs, HostScalarAttrs, InputAttrs, VariableAttrs } from "./ops/leaf.ts";
import { elementCount } from "./shape.ts";
import { type Inputs, type InputValue, inputArrays } from "./step-inputs.ts";

export interface RunnerOptions {
  readonly inputs?: Inputs;
  /** Called once per run after its host scalars were evaluated. */
  readonly afterScalars?: readonly (() => void)[];
  /** Variables that live nowhere yet stay so: the runs read copies of their values. */
  readonly borrows?: boolean;
}

/** Buffers in the order of the plan's, and those among them to free again. */
interface Placed {
  readonly buffers: readonly DeviceBuffer[];
  readonly owned: DeviceBuffer[];
}

export class Runner {
  readonly plan: Plan;
  readonly #backend: Backend;
  readonly #inputs: Inputs;
  readonly #compiled: CompiledGraph;
  readonly #afterScalars: readonly (() => void)[];
  readonly #placed: Placed;
  readonly #inputBuffers = new Map<string, DeviceBuffer>();
  #underWay = 0;
  /** Starts the calls that wait, first come first served. */
  readonly #waiting: (() => void)[] = [];
  #program: Program | undefined;
  #forget: () => void = () => {};

  private constructor(backend: Backend, compiled: CompiledGraph, placed: Placed, options: RunnerOptions) {
    this.plan = compiled.plan;
    this.#backend = backend;
    this.#inputs = options.inputs ?? {};
    this.#compiled = compiled;
    this.#afterScalars = options.afterScalars ?? [];
    this.#placed = placed;
    for (const [index, leaf] of compiled.leafOf) {
      if (leaf.op.name === "input") this.#inputBuffers.set((leaf.attrs as InputAttrs).name, placed.buffers[index]);
    }
  }

  /** Allocates and prepares; throws LimitError before anything is allocated, and frees all after any other error. */
  static async open(backend: Backend, compiled: CompiledGraph, options: RunnerOptions = {}): Promise<Runner> {
    checkLimits(backend, compiled);
    backend.begin(compiled.plan);
    const placed = placeBuffers(backend, compiled, options.borrows ?? false);
    const runner = new Runner(backend, compiled, placed, options);
    try {
      runner.#program = await backend.prepare(compiled.plan, placed.buffers);
    } catch (error) {
      runner.close();
      throw error;
    }
    runner.#forget = backend.onClose(() => runner.close());
    return runner;
  }

  /** One run: everything up to the submit happens in call order, at once where a run is free. */
  async run(batch: Readonly<Record<string, InputValue>>): Promise<Record<string, HostValue>> {
    const mustWait = this.#underWay >= RUNS_IN_FLIGHT;
    const values = inputArrays(batch, this.#inputs, this.#backend.precision, { copy: mustWait });
    // who waits takes over the place of the run that ends
    if (mustWait) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#underWay++;
    try {
      return await this.#runNow(values);
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#underWay--;
    }
  }

  async #runNow(values: ReadonlyMap<string, TypedArray>): Promise<Record<string, HostValue>> {
    if (!this.#program) throw new BackendError({ what: "step", facts: "it is closed", expected: "a run before close" });
    for (const [name, data] of values) {
      const buffer = this.#inputBuffers.get(name);
      if (buffer) this.#backend.write(buffer, data);
    }
    this.#writeScalars();
    const bytes = await this.#backend.run(this.#program);
    return Object.fromEntries(
      this.plan.outputs.map(({ name, type }, i) => [
        name,
        new HostValue(viewAs(bytes[i], type.dtype, this.#backend.precision, elementCount(type.shape)), type),
      ]),
    );
  }

  #writeScalars(): void {
    const { hostScalars } = this.#compiled;
    const values = hostScalars.map(({ attrs }) => (attrs as HostScalarAttrs).evaluate());
    for (const callback of this.#afterScalars) callback();
    if (hostScalars.length === 0) return;
    const wide = this.#backend.precision === "float64";
    const cells = new ArrayBuffer(values.length * (wide ? 8 : 4));
    const view = new DataView(cells);
    values.forEach((value, i) => {
      if (wide) view.setFloat64(8 * i, value, true);
      else if (hostScalars[i].dtype === "f32") view.setFloat32(4 * i, value, true);
      else view.setUint32(4 * i, value, true);
    });
    this.#backend.write(this.#placed.buffers[this.plan.scalarsBuffer], new Uint8Array(cells));
  }

  get isOpen(): boolean {
    return this.#program !== undefined;
  }

  close(): void {
    this.#forget();
    this.#program?.close();
    this.#program = undefined;
    for (const buffer of this.#placed.owned.splice(0)) this.#backend.free(buffer);
  }
}

/** Allocates the plan's own buffers, fills fixed arrays, and finds those of the Variables; all or nothing. */
function placeBuffers(backend: Backend, { plan, leafOf }: CompiledGraph, borrows: boolean): Placed {
  const owned: DeviceBuffer[] = [];
  const own = (bytes: number, label: string): DeviceBuffer => {
    const buffer = backend.allocate(bytes, label);
    owned.push(buffer);
    return buffer;
  };
  const filled = (values: TypedArray, index: number): DeviceBuffer => {
    const buffer = own(plan.buffers[index].bytes, plan.buffers[index].label);
    backend.write(buffer, values);
    return buffer;
  };
  try {
    const buffers = plan.buffers.map(({ bytes, label }, index) => {
      const { op, attrs } = leafOf.get(index) ?? {};
      if (op?.name === "array") {
        const { data, dtype } = attrs as ArrayAttrs;
        return filled(storageArray("tensor", data, dtype, backend.precision), index);
      }
      if (op?.name !== "variable") return own(bytes, label);
      const { variable } = attrs as VariableAttrs;
      return borrows && !variable.backend ? filled(variable.unbound(backend.precision), index) : variable.bind(backend);
    });
    return { buffers, owned };
  } catch (error) {
    for (const buffer of owned) backend.free(buffer);
    throw error;
  }
}
