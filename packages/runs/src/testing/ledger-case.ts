import type { RunEvent, RunFinished } from "../events.ts";
import type { Lease, NewRun, NewTask, ResumedRun, RunLedger, TaskRunId } from "../ledger.ts";
import type { TaskState } from "../task-states.ts";

/** The part of `expect` of vitest or jest that the contract uses. */
export type Expect = (value: unknown) => {
  toBe(expected: unknown): void;
  toEqual(expected: unknown): void;
};

/** A new ledger, and a second one over the same runs, as another process has it. */
export interface OpenedLedger {
  readonly ledger: RunLedger;
  readonly other: RunLedger;
  /** Makes a run look as if the process of its owner had ended. */
  loseOwner(run: string): Promise<void>;
}

export const RUN = "00000000-0000-4000-8000-000000000001";
export const OTHER_RUN = "00000000-0000-4000-8000-000000000002";
const TIME = "2026-01-01T00:00:00.000Z";
export const MINUTE = 60_000;
export const OWNER = { token: "owner" };
export const ERROR = { name: "Error", code: "TASK_FAILED", message: "failed" };

export function task(id: string, needs: readonly string[] = [], more: Partial<NewTask> = {}): NewTask {
  return {
    id,
    needs,
    continueOnError: false,
    statusesInIf: new Set(),
    maxAttempts: 3,
    isRepeatable: true,
    ...more,
  };
}

export function newRun(tasks: readonly NewTask[], more: Partial<NewRun> = {}): NewRun {
  return { id: RUN, workflow: "w", file: null, secrets: ["DECLARED"], tasks, owner: null, ...more };
}

export function resumed(tasks: readonly NewTask[], more: Partial<ResumedRun> = {}): ResumedRun {
  return { ...newRun(tasks), owner: OWNER, after: 1, finished: new Map(), ...more };
}

export function line(message: string, execution: string = RUN): RunEvent {
  return { time: TIME, level: "info", event: "task.log", execution, task: "a", message };
}

export function finished(status: RunFinished["status"]): RunFinished {
  return {
    time: TIME,
    level: "info",
    event: "run.finished",
    execution: RUN,
    status,
    ...(status === "cancelled" ? { cancelledBy: "user" as const } : {}),
    durationMs: 1,
    tasks: {},
    masked: {},
  };
}

/** What the cases work with. */
export interface Case extends OpenedLedger {
  readonly expect: Expect;
  /** The states of the tasks of the run. */
  states(): Promise<Readonly<Record<string, TaskState>>>;
  id(name: string): Promise<TaskRunId>;
  /** Claims a task that may start. */
  take(name: string, milliseconds?: number): Promise<Lease>;
  /** The code of the error that this rejects with; null if it does not. */
  codeOf(work: Promise<unknown>): Promise<unknown>;
}

export type Cases = Readonly<Record<string, (test: Case) => Promise<void>>>;

export async function pause(milliseconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** A lease that has ended. */
export async function over(test: Case, name: string): Promise<Lease> {
  const lease = await test.take(name, 1);
  await pause(5);
  return lease;
}

export function createCase(opened: OpenedLedger, expect: Expect): Case {
  const { ledger } = opened;
  const id = async (name: string) => {
    const found = (await ledger.tasks(RUN)).find((one) => one.task === name);
    if (found === undefined) throw new Error(`there is no task ${name}`);
    return found.id;
  };
  return {
    ...opened,
    expect,
    id,
    states: async () => Object.fromEntries((await ledger.tasks(RUN)).map((one) => [one.task, one.state])),
    async take(name, milliseconds = MINUTE) {
      const lease = await ledger.claim(await id(name), "worker", milliseconds);
      if (lease === null) throw new Error(`${name} cannot be claimed`);
      return lease;
    },
    async codeOf(work) {
      try {
        await work;
        return null;
      } catch (error) {
        return error instanceof Error && "code" in error ? error.code : error;
      }
    },
  };
}
