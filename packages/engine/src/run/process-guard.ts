import { AsyncLocalStorage } from "node:async_hooks";
import { constants } from "node:os";

/** An attempt of a task, which is also responsible for what its action leaves behind. */
export interface GuardedAttempt {
  /** Reports an unhandled rejection or an exception in a callback of the action. */
  fail(thrown: unknown): void;
}

/** A run that has not ended. */
export interface GuardedRun {
  /** Called when the process has nothing left to wait for, so that no running attempt can ever end. */
  stall(): void;
  /**
   * Called when the process ends: the last chance to record how the run ended.
   *
   * @param culprit the attempt whose action ended the process, if one did
   */
  end(culprit: GuardedAttempt | undefined): void;
}

/** The exit code of Node for a top-level await that never settles. */
const UNSETTLED_EXIT = 13;

/** Called with the process as `this`. */
type Method = (this: unknown, ...args: never[]) => unknown;

const attempts = new AsyncLocalStorage<GuardedAttempt | undefined>();
const openRuns = new Set<GuardedRun>();
let isInstalled = false;

/**
 * Makes sure that the end of a run is recorded even if the process ends, by itself or through an action.
 *
 * @returns a function to call when the run has ended
 */
export function guardRun(run: GuardedRun): () => void {
  install();
  openRuns.add(run);
  return () => void openRuns.delete(run);
}

/** Runs code of an action: what fails in it, now or later, fails this attempt. */
export function inAttempt<T>(attempt: GuardedAttempt, work: () => T): T {
  return attempts.run(attempt, work);
}

/** Runs code that an action caused but is not responsible for. */
export function outsideAttempts<T>(work: () => T): T {
  return attempts.run(undefined, work);
}

/**
 * Wraps `process.emit` and `process.kill`, once and for good. A listener would not do: errors that belong to no action
 * must meet the handlers of the program, or none, as if this guard did not exist.
 */
function install(): void {
  if (isInstalled) return;
  isInstalled = true;
  const emit: Method = Reflect.get(process, "emit");
  const kill: Method = Reflect.get(process, "kill");
  Object.assign(process, {
    emit(...args: readonly [unknown, ...unknown[]]): unknown {
      const [event, detail] = args;
      const emitOn = (): unknown => Reflect.apply(emit, process, args);
      if (event === "exit") return endRuns(detail, emitOn);
      if (event === "beforeExit") stallRuns();
      const isFailure = event === "unhandledRejection" || event === "uncaughtException";
      const attempt = isFailure ? attempts.getStore() : undefined;
      if (attempt === undefined) return emitOn();
      attempt.fail(detail);
      return true;
    },
    kill(...args: readonly [number, (string | number)?]): unknown {
      // The system would end the process before anything could be recorded.
      if (attempts.getStore() !== undefined && endsThisProcess(...args)) process.exit(1);
      return Reflect.apply(kill, process, args);
    },
  });
}

function endRuns(exitCode: unknown, emitOn: () => unknown): unknown {
  if (openRuns.size === 0) return emitOn();
  const culprit = attempts.getStore();
  for (const run of openRuns) run.end(culprit);
  openRuns.clear();
  try {
    return emitOn();
  } finally {
    // Overrides the exit code of the action. Other codes, such as that of a signal, come from the program and stay.
    if (culprit !== undefined || exitCode === 0 || exitCode === UNSETTLED_EXIT) process.exitCode = 1;
  }
}

function stallRuns(): void {
  if (openRuns.size === 0) return;
  // For programs that do not look at the result of the run.
  if (!process.exitCode) process.exitCode = 1;
  for (const run of openRuns) run.stall();
}

const ENDING_SIGNALS = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGABRT", "SIGKILL", "SIGTERM"] as const;

function endsThisProcess(pid: number, signal: string | number = "SIGTERM"): boolean {
  // 0 stands for the process group of this process.
  if (Math.abs(pid) !== process.pid && pid !== 0) return false;
  return ENDING_SIGNALS.some((name) => signal === name || signal === constants.signals[name]);
}
