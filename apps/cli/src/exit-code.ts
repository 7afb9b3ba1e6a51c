import type { ErrorCode } from "@autokestra/secrets-core";

/** What the command's exit code says. */
export const EXIT = { done: 0, failed: 1, usage: 2, notFound: 3, integrity: 4, invalid: 5, interrupted: 130 } as const;

/** The exit codes of a command that a signal has ended. */
export const SIGNAL_EXITS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

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
  SECRETS_MISSING: EXIT.notFound,
  SECRETS_MASKED: EXIT.failed,
  SECRET_EXPIRED: EXIT.failed,
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
  STORE_UNAVAILABLE: EXIT.failed,
  STORE_CORRUPT: EXIT.integrity,
  STORE_TOO_NEW: EXIT.failed,
  STORE_ROLLED_BACK: EXIT.integrity,
  SOURCE_FAILED: EXIT.failed,
  HISTORY_UNAVAILABLE: EXIT.failed,
  RUN_NOT_FOUND: EXIT.notFound,
  WORKFLOW_NOT_FOUND: EXIT.notFound,
  WORKFLOW_INVALID: EXIT.invalid,
  WORKFLOW_DISABLED: EXIT.failed,
  INPUT_INVALID: EXIT.invalid,
  USAGE: EXIT.usage,
};
