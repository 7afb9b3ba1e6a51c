import { AsyncLocalStorage } from "node:async_hooks";
import { constants } from "node:os";

/** An attempt of a task, while its action runs and after that, for what the action has left behind. */
export interface GuardedAttempt {
  /** Code of the action has failed where nobody waits for it: a rejection that nobody handles, or an exception in a callback. */
  fail(thrown: unknown): void;
}

/** A run that has not ended. */
export interface GuardedRun {
  /** The process has nothing left to wait for: no attempt that runs can ever end. */
  stall(): void;
  /**
   * The process ends: the last chance to tell how the run ended.
   *
   * @param culprit the attempt whose action has ended the process; undefined where none has
   */
  end(culprit: GuardedAttempt | undefined): void;
}

/** What Node ends a process with whose top level waits for what never comes. */
const UNSETTLED_EXIT = 13;

/** Called with the process as `this`. */
type Method = (this: unknown, ...args: never[]) => unknown;

const attempts = new AsyncLocalStorage<GuardedAttempt | undefined>();
const openRuns = new Set<GuardedRun>();
let isInstalled = false;

/**
 * Watches over a run until it ends: a process must not end, by itself or by an action, without the run being recorded.
 *
 * @returns ends the watch
 */
export function guardRun(run: GuardedRun): () => void {
  install();
  openRuns.add(run);
  return () => void openRuns.delete(run);
}

/** Does work of an action: what fails in it, now or later, is this attempt's. */
export function inAttempt<T>(attempt: GuardedAttempt, work: () => T): T {
  return attempts.run(attempt, work);
}

/** Does work that is no action's, although an action has caused it. */
export function outsideAttempts<T>(work: () => T): T {
  return attempts.run(undefined, work);
}

/**
 * Puts this guard before `process.emit`, once and for good: only so an error that belongs to no action meets the handlers of the
 * program, or the lack of them, as if we were not there.
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
    // Whatever the action has said. Another code, such as that of a signal, is the program's own.
    if (culprit !== undefined || exitCode === 0 || exitCode === UNSETTLED_EXIT) process.exitCode = 1;
  }
}

function stallRuns(): void {
  if (openRuns.size === 0) return;
  // For programs that do not look at how the run has ended.
  if (!process.exitCode) process.exitCode = 1;
  for (const run of openRuns) run.stall();
}

const ENDING_SIGNALS = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGABRT", "SIGKILL", "SIGTERM"] as const;

function endsThisProcess(pid: number, signal: string | number = "SIGTERM"): boolean {
  // 0 is the process group of this process.
  if (Math.abs(pid) !== process.pid && pid !== 0) return false;
  return ENDING_SIGNALS.some((name) => signal === name || signal === constants.signals[name]);
}
