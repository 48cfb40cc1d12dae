import { expect, test } from "vitest";
import { buildLoggers } from "./loggers.ts";

const none = { logger: [] };

test("TensorBoard's is always there, others where they are named", () => {
  expect([...buildLoggers(none, {}).keys()]).toEqual(["tensorboard"]);
  const all = { logger: [], mlflow: "http://localhost:5000", wandb: "team/project" };
  expect([...buildLoggers(all, { WANDB_API_KEY: "k" }).keys()]).toEqual(["tensorboard", "mlflow", "wandb"]);
});

test("what cannot be used is refused, and no secret is repeated", () => {
  const refusal = (options: object, environment: NodeJS.ProcessEnv = {}): string => {
    try {
      buildLoggers({ ...none, ...options }, environment);
    } catch (error) {
      return (error as Error).message;
    }
    return "taken";
  };
  expect(refusal({ logger: ["mine"] })).toMatch(/there is no logger "mine"/);
  expect(refusal({ wandb: "p" })).toMatch(/no key in WANDB_API_KEY/);
  expect(refusal({ wandb: "a/b/c" }, { WANDB_API_KEY: "k" })).toMatch(/entity\/project/);
  expect(refusal({ mlflow: "localhost:5000" })).toMatch(/it begins with localhost:/);
  expect(refusal({ mlflow: "nothing" })).toMatch(/no URL/);
  for (const mlflow of ["http://me:hidden@host", "http://host/?token=hidden", "http://host/#hidden"]) {
    const line = refusal({ mlflow });
    expect(line).toMatch(/^option --mlflow: it has more than an address.*MLFLOW_TRACKING_USERNAME/);
    expect(line).not.toContain("hidden");
  }
  for (const [options, environment] of [
    [{ wandb: "p" }, { WANDB_API_KEY: "hid\nden" }],
    [{ wandb: "p" }, { WANDB_API_KEY: "k", WANDB_BASE_URL: "https://me:hid@den" }],
    [{ mlflow: "http://h" }, { MLFLOW_TRACKING_TOKEN: "hid\nden" }],
  ] as const) {
    expect(refusal(options, environment)).not.toMatch(/taken|hid|den/);
  }
});
