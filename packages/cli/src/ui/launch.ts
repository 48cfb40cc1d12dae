/**
 * The dashboard of a run that is being trained: a process of its own that reads what the run writes. Training waits for
 * nothing of it, and goes on as it is where it cannot start, or ends.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Milliseconds that it has to tell its pages how the run ended. */
const PATIENCE = 1500;

/** Variable that says to `guidance ui` that it is the process of a training. */
export const OF_TRAINING = "GUIDANCE_UI_OF_TRAINING";

/** What the process tells: that it serves, or why it does not. */
export type UiNews = { readonly url: string } | { readonly error: string };

const command = fileURLToPath(new URL("../../bin/guidance.mjs", import.meta.url));

/** Starts it with the arguments of `guidance ui`; `hear` gets its news, or none at all. */
export function launchUi(args: readonly string[], hear: (news: UiNews) => void): { close(): Promise<void> } {
  // detached: Ctrl-C is for training, at whose end this ends, however that comes about
  const child = spawn(process.execPath, [command, "ui", ...args], {
    env: { ...process.env, [OF_TRAINING]: "1" },
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    detached: true,
    windowsHide: true,
  });
  let [isClosing, isTold] = [false, false];
  child.on("error", (error) => hear({ error: error.message }));
  child.on("exit", (status, signal) => {
    if (!isClosing && !isTold) hear({ error: `its process ended (${signal ?? `exit status ${status}`})` });
  });
  child.on("message", (news) => {
    isTold = "error" in (news as UiNews);
    hear(news as UiNews);
  });
  child.unref();
  child.channel?.unref();
  return {
    close() {
      isClosing = true;
      return end(child);
    },
  };
}

function end(child: ChildProcess): Promise<void> {
  if (!child.connected) return Promise.resolve();
  return new Promise((resolve) => {
    const patience = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
    child.once("exit", () => {
      clearTimeout(patience);
      resolve();
    });
    child.disconnect();
  });
}
