import type { ErrorCode } from "@autokestra/secrets-core";

/** The exit codes of the command. */
export const EXIT = { done: 0, failed: 1, usage: 2, notFound: 3, integrity: 4, invalid: 5, interrupted: 130 } as const;

/** The exit codes of a command that a signal has ended. */
const SIGNAL_EXITS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

declare module "@autokestra/secrets-core" {
  interface ErrorDetails {
    /** The command line itself is wrong. */
    USAGE: object;
    SECRETS_MASKED: object;
  }
}

/** The exit code of every error. */
export const EXIT_CODES: Readonly<Record<ErrorCode, number>> = {
  NAME_INVALID: EXIT.invalid,
  VALUE_EMPTY: EXIT.invalid,
  VALUE_INVALID: EXIT.invalid,
  REFERENCE_INVALID: EXIT.invalid,
  SECRET_NOT_FOUND: EXIT.notFound,
  SECRET_EXISTS: EXIT.failed,
  SECRET_DELETED: EXIT.notFound,
  SECRET_NOT_DECLARED: EXIT.invalid,
  SECRET_NOT_ALLOWED: EXIT.invalid,
  SECRETS_MISSING: EXIT.notFound,
  SECRETS_MASKED: EXIT.failed,
  FIELD_NOT_FOUND: EXIT.notFound,
  VERSION_CONFLICT: EXIT.failed,
  VERSION_NOT_FOUND: EXIT.notFound,
  HEADER_CHANGED: EXIT.failed,
  KEY_INVALID: EXIT.integrity,
  KEY_MISSING: EXIT.integrity,
  KEY_WRONG: EXIT.integrity,
  KEY_UNREADABLE: EXIT.integrity,
  KEY_UNAVAILABLE: EXIT.failed,
  DATA_KEY_IN_USE: EXIT.failed,
  INTEGRITY_FAILED: EXIT.integrity,
  IDENTITY_WRONG: EXIT.integrity,
  STORE_UNAVAILABLE: EXIT.failed,
  STORE_CORRUPT: EXIT.integrity,
  STORE_TOO_NEW: EXIT.failed,
  STORE_ROLLED_BACK: EXIT.integrity,
  SOURCE_FAILED: EXIT.failed,
  HISTORY_UNAVAILABLE: EXIT.failed,
  ACCESS_UNAVAILABLE: EXIT.failed,
  TOKEN_EXISTS: EXIT.failed,
  TOKEN_NOT_FOUND: EXIT.notFound,
  AUDIT_UNAVAILABLE: EXIT.failed,
  RUN_NOT_FOUND: EXIT.notFound,
  RUN_ENDED: EXIT.failed,
  RUN_LEFT_OUT: EXIT.failed,
  IDEMPOTENCY_KEY_REUSED: EXIT.failed,
  QUEUE_FULL: EXIT.failed,
  SHUTTING_DOWN: EXIT.failed,
  RUN_ACTIVE: EXIT.failed,
  RUN_AMBIGUOUS: EXIT.usage,
  RUN_NOT_RESUMABLE: EXIT.failed,
  TASK_NOT_FOUND: EXIT.usage,
  CONFIG_NOT_FOUND: EXIT.notFound,
  CONFIG_INVALID: EXIT.invalid,
  WORKFLOW_NOT_FOUND: EXIT.notFound,
  WORKFLOW_INVALID: EXIT.invalid,
  WORKFLOW_DISABLED: EXIT.failed,
  INPUT_INVALID: EXIT.invalid,
  OPTION_INVALID: EXIT.usage,
  USAGE: EXIT.usage,
  // Of the HTTP API, which tells its clients of them: no command ends with one.
  BODY_INVALID: EXIT.failed,
  BODY_TOO_LARGE: EXIT.failed,
  FORBIDDEN: EXIT.failed,
  HOST_UNKNOWN: EXIT.failed,
  INTERNAL: EXIT.failed,
  MEDIA_TYPE_UNSUPPORTED: EXIT.failed,
  METHOD_NOT_ALLOWED: EXIT.failed,
  NOT_FOUND: EXIT.failed,
  PRECONDITION_FAILED: EXIT.failed,
  RATE_LIMITED: EXIT.failed,
  REQUEST_INVALID: EXIT.failed,
  UNAUTHORIZED: EXIT.failed,
};

type EndingSignal = keyof typeof SIGNAL_EXITS;

/** How work ended. */
interface Outcome<T> {
  readonly result: T;
  /** The exit code of the signal that ended it early; null if there was none. */
  readonly signalExit: number | null;
}

const NAMES = Object.keys(SIGNAL_EXITS) as EndingSignal[];

/** Aborted by the first signal. */
const working = new Set<AbortController>();

let isListening = false;
let signalExit: number | null = null;

/** Makes Ctrl-C and other signals end the process with their exit code, except during {@link untilSignal}. */
export function exitOnSignals(): void {
  if (isListening) return;
  isListening = true;
  for (const name of NAMES) process.on(name, end);
  // Without a listener, Node opens its debugger at this signal, on a port that every program on the machine can reach.
  process.on("SIGUSR1", () => undefined);
}

/** Restores the default handling of signals. */
export function leaveSignals(): void {
  isListening = false;
  for (const name of NAMES) process.off(name, end);
}

/** The exit code of failed work: that of the signal if one ended it. */
export function signalExitOr(code: number): number {
  return signalExit ?? code;
}

/** Tells whether a signal has come. */
export function isEndedBySignal(): boolean {
  return signalExit !== null;
}

/**
 * Runs work that Ctrl-C and other signals can end between two steps. A second signal ends the process at once.
 *
 * @param work ends early when its signal is aborted
 */
export async function untilSignal<T>(work: (signal: AbortSignal) => Promise<T>): Promise<Outcome<T>> {
  exitOnSignals();
  const cancel = new AbortController();
  working.add(cancel);
  try {
    const result = await work(cancel.signal);
    return { result, signalExit: cancel.signal.aborted ? signalExit : null };
  } finally {
    working.delete(cancel);
  }
}

function end(name: EndingSignal): void {
  const isFirst = signalExit === null;
  signalExit = SIGNAL_EXITS[name];
  if (!isFirst || working.size === 0) process.exit(signalExit);
  for (const cancel of working) cancel.abort();
}
