/** What a profile prints: time, arithmetic and traffic of kernels, and the same as a trace for Perfetto or Chrome. */
import type { KernelTime, KernelTimes } from "@guidance/shaders";
import { kernelBytes, kernelFlops } from "@guidance/tensor";
import { percent, table } from "./format.ts";

/** What was measured of one program of a step. */
export interface ProgramTimes {
  /** Absent where it is the whole of the step. */
  readonly name?: string;
  /** How often a step runs it. */
  readonly runs: number;
  readonly times: KernelTimes;
}

interface Sum {
  count: number;
  seconds: number;
  flops: number;
  bytes: number;
}

/** The times of a program for machines: seconds, FLOPs and bytes of each kernel. */
export function programJson({ name = "step", runs, times }: ProgramTimes) {
  const kernels = times.calls.map(({ call: { kernel, family }, seconds }) => ({
    label: kernel.label,
    layer: kernel.path,
    family,
    seconds,
    flops: kernelFlops(kernel),
    bytes: kernelBytes(kernel),
  }));
  return { name, runs, method: times.method, seconds: times.step, kernels };
}

/** Sums kernels by a name, the dearest first. */
function sumBy(calls: readonly KernelTime[], nameOf: (time: KernelTime) => string): [string, Sum][] {
  const sums = new Map<string, Sum>();
  for (const time of calls) {
    const { kernel } = time.call;
    const sum = sums.get(nameOf(time)) ?? { count: 0, seconds: 0, flops: 0, bytes: 0 };
    sum.count += 1;
    sum.seconds += time.seconds;
    sum.flops += kernelFlops(kernel);
    sum.bytes += kernelBytes(kernel);
    sums.set(nameOf(time), sum);
  }
  return [...sums].sort(([, a], [, b]) => b.seconds - a.seconds);
}

const kindOf = ({ call: { kernel, family } }: KernelTime) => {
  const op = kernel.core?.op ?? "map";
  return family === op ? op : `${op} ${family}`;
};
const layerOf = ({ call: { kernel } }: KernelTime) => kernel.path || "no layer";

/** Rows beyond this are summed up in one. */
const MOST_ROWS = 30;

function sumTable(title: string, sums: readonly [string, Sum][], total: number): string {
  const shown = sums.slice(0, MOST_ROWS);
  const rest = sums.slice(MOST_ROWS);
  if (rest.length > 0) {
    const add = (key: keyof Sum) => rest.reduce((sum, [, each]) => sum + each[key], 0);
    const other = { count: add("count"), seconds: add("seconds"), flops: add("flops"), bytes: add("bytes") };
    shown.push([`${rest.length} more`, other]);
  }
  return table([
    [title, "kernels", "time", "share", "GFLOP/s", "GB/s"],
    ...shown.map(([name, { count, seconds, flops, bytes }]) => [
      name,
      String(count),
      `${(seconds * 1e3).toFixed(3)} ms`,
      percent(seconds / total),
      (flops / seconds / 1e9).toFixed(1),
      (bytes / seconds / 1e9).toFixed(1),
    ]),
  ]);
}

const totalOf = (calls: readonly KernelTime[]) => calls.reduce((sum, { seconds }) => sum + seconds, 0);
const milliseconds = (seconds: number) => `${(seconds * 1e3).toFixed(1)} ms`;

/** The part of a profile that says what a device does with a step: by kind of kernel. */
export function kindsText({ calls }: KernelTimes): string {
  return sumTable("kind", sumBy(calls, kindOf), totalOf(calls));
}

/** What a step of several programs takes. */
export function stepText(programs: readonly ProgramTimes[]): string {
  const total = programs.reduce((sum, { runs, times }) => sum + runs * times.step, 0);
  const terms = programs.map(({ runs, times }) => `${runs} x ${milliseconds(times.step)}`);
  return `a step takes ${milliseconds(total)}: ${terms.join(" + ")}`;
}

/** The profile of one program as text: by kind of kernel, by layer, and each of the dearest. */
export function profileText({ method, step, calls }: KernelTimes, takes = "a step"): string {
  const total = totalOf(calls);
  const measured =
    method === "timestamps"
      ? "timestamps of the device around each kernel"
      : "each kernel on its own, submitting and waiting included: this device has no timestamp queries";
  return [
    `${takes} takes ${milliseconds(step)}\n${calls.length} kernels, ${milliseconds(total)} together (${measured})`,
    kindsText({ method, step, calls }),
    sumTable("layer", sumBy(calls, layerOf), total),
    sumTable(
      "kernel, with its layer",
      sumBy(calls, ({ call }) => call.kernel.label),
      total,
    ),
  ].join("\n\n");
}

/**
 * Trace events as Chrome's about:tracing and ui.perfetto.dev read them, a line of events for each kind of kernel. Each program
 * of a step stands there once, one behind the other.
 */
export function profileTrace(programs: readonly ProgramTimes[]): string {
  let end = 0;
  const traceEvents = programs.flatMap(({ name = "step", times: { calls } }, pid) => {
    const begin = end;
    end += calls.reduce((last, { start, seconds }) => Math.max(last, start + seconds), 0);
    return [{ ph: "M", name: "process_name", pid, args: { name } }, ...programEvents(calls, pid, begin)];
  });
  return JSON.stringify({ traceEvents, displayTimeUnit: "ms" });
}

function programEvents(calls: readonly KernelTime[], pid: number, begin: number): object[] {
  const kinds = [...new Set(calls.map(kindOf))];
  const names = kinds.map((name, tid) => ({ ph: "M", name: "thread_name", pid, tid, args: { name } }));
  const events = calls.map((time) => {
    const { kernel } = time.call;
    const [flops, bytes] = [kernelFlops(kernel), kernelBytes(kernel)];
    return {
      ph: "X",
      name: kernel.label,
      cat: kindOf(time),
      pid,
      tid: kinds.indexOf(kindOf(time)),
      ts: (begin + time.start) * 1e6,
      dur: time.seconds * 1e6,
      args: {
        layer: kernel.path,
        "GFLOP/s": flops / time.seconds / 1e9,
        "GB/s": bytes / time.seconds / 1e9,
        inputs: kernel.inputs.map(({ shape }) => shape.join("x")).join(" "),
        outputs: kernel.outputs.map(({ type }) => type.shape.join("x")).join(" "),
      },
    };
  });
  return [...names, ...events];
}
