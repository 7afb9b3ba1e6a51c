import type { LogEvent, RecordedEvent, RunFinished, RunStarted } from "../src/index.ts";

/** The id of a run: a UUID, as runs have them. */
export const id = (run: number): string => `00000000-0000-4000-8000-${String(run).padStart(12, "0")}`;
export const numberOf = (execution: string): number => Number(execution.slice(-12));

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();

export const started = (run: number, workflow = "w"): RunStarted => ({
  time: at(run % 60),
  level: "info",
  event: "run.started",
  execution: id(run),
  workflow,
  message: `workflow ${workflow}`,
});

/** The same as it is recorded. */
export const recordedStart = (run: number, workflow = "w"): RecordedEvent => {
  const { workflow: _, ...recorded } = started(run, workflow);
  return recorded;
};

export const logged = (run: number, message: string): LogEvent => ({
  time: at(run % 60),
  level: "info",
  event: "task.log",
  execution: id(run),
  task: "a",
  message,
});

export const finished = (run: number, status: RunFinished["status"]): RunFinished => ({
  time: at(59),
  level: status === "success" ? "info" : "error",
  event: "run.finished",
  execution: id(run),
  status,
  ...(status === "cancelled" ? { cancelledBy: "user" } : {}),
  durationMs: 1000,
  tasks: { a: { status: status === "success" ? "success" : "failed" }, b: { status: "skipped" } },
  masked: { TOKEN: { count: 2, variants: ["value", "base64"] } },
});
