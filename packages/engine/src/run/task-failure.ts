import { PluginInputError, PluginOutputError } from "@autokestra/plugin-sdk";
import { AutokestraError } from "@autokestra/secrets-core";

/** Why an attempt of a task has failed, in texts and numbers of our own: reading it runs no code of a plugin. It is not masked. */
export interface TaskFailure {
  readonly name: string;
  /** What programs go by, such as `TIMED_OUT`. */
  readonly code: string;
  readonly message: string;
  /** An HTTP status, where the failure goes back to one. */
  readonly status?: number;
  /** False where another attempt cannot succeed, unless the workflow names the status in `retry.on`. */
  readonly retryable: boolean;
  /** How many seconds to wait at least before the next attempt. */
  readonly retryAfterSeconds?: number;
  /** The message is one of ours, and not the action's. */
  readonly isOurs: boolean;
}

/** The code of an error that has none of its own. */
const DEFAULT_CODE = "TASK_FAILED";
const ERROR_CODE = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;
const NAME = /^[\w$.-]{1,100}$/;

/** Fails an attempt for a reason that is the engine's and not the action's. Not retried unless it says so. */
export class EngineFailure extends Error {
  readonly failure: TaskFailure;

  constructor(code: string, message: string, retryable = false) {
    super(message);
    this.failure = { name: "Error", code, message, retryable, isOurs: true };
  }
}

/**
 * Describes whatever an action has thrown. Never throws: a plugin may throw a proxy, a text, undefined, or an error whose properties
 * throw when they are read.
 */
export function describeThrown(thrown: unknown): TaskFailure {
  if (isInstance(thrown, EngineFailure)) return thrown.failure;
  const isInput = isInstance(thrown, PluginInputError);
  const isOurs = isInput || isInstance(thrown, PluginOutputError) || isInstance(thrown, AutokestraError);
  const status = readStatus(thrown);
  const retryAfterSeconds = read(thrown, "retryAfterSeconds");
  const name = read(thrown, "name");
  return {
    name: typeof name === "string" && NAME.test(name) ? name : "Error",
    // fetch says only in the cause what has happened.
    code: isInput ? "INPUT_INVALID" : (readCode(thrown) ?? readCode(read(thrown, "cause")) ?? DEFAULT_CODE),
    message: readMessage(thrown),
    ...(status === undefined ? {} : { status }),
    retryable: !isInput && !isInstance(thrown, AutokestraError) && read(thrown, "retryable") !== false,
    ...(typeof retryAfterSeconds === "number" && retryAfterSeconds >= 0 ? { retryAfterSeconds } : {}),
    isOurs,
  };
}

/** The text of anything. Never throws. */
export function toText(value: unknown): string {
  try {
    return String(value);
  } catch {
    return "[unreadable]";
  }
}

function readStatus(thrown: unknown): number | undefined {
  const status = read(thrown, "status");
  return typeof status === "number" && Number.isInteger(status) && status >= 100 && status <= 599 ? status : undefined;
}

function readCode(thrown: unknown): string | undefined {
  const code = read(thrown, "code");
  return typeof code === "string" && ERROR_CODE.test(code) ? code : undefined;
}

function readMessage(thrown: unknown): string {
  if (thrown === undefined || thrown === null) return `the action threw ${thrown}`;
  if (typeof thrown === "function") return "the action threw a function";
  if (typeof thrown !== "object") return toText(thrown) || "the action threw an empty text";
  const message = read(thrown, "message");
  // JSON.parse quotes ten characters of what it has read: a piece of a secret that no masker knows.
  if (typeof message === "string" && message.endsWith(" is not valid JSON")) return "a text is not valid JSON";
  if (typeof message === "string" && message !== "") return message;
  const code = readCode(thrown);
  if (code !== undefined) return code;
  return message === ""
    ? "the action threw an error without a message"
    : "the action threw something without a readable message";
}

/** Undefined where it cannot be read. */
function read(thrown: unknown, key: string): unknown {
  if (typeof thrown !== "object" || thrown === null) return undefined;
  try {
    return Reflect.get(thrown, key);
  } catch {
    return undefined;
  }
}

/** `instanceof` that never throws, as it does for some proxies. */
export function isInstance<T>(value: unknown, type: abstract new (...args: never[]) => T): value is T {
  try {
    return value instanceof type;
  } catch {
    return false;
  }
}

const CLASS_NAME = /^[A-Z][A-Za-z]{0,39}$/;
const UPPER_CASE_CODE = /^[A-Z][A-Z0-9_]{0,63}$/;

/**
 * A failure without its message. The action has secrets in its output and has failed before that was there: nobody knows what in the
 * message is secret. What our own errors say is known.
 */
export function withholdMessage(failure: TaskFailure): TaskFailure {
  if (failure.isOurs) return failure;
  const name = CLASS_NAME.test(failure.name) ? failure.name : "Error";
  const code = UPPER_CASE_CODE.test(failure.code) ? failure.code : DEFAULT_CODE;
  const status = failure.status === undefined ? [] : [`status ${failure.status}`];
  const what = [...(code === DEFAULT_CODE ? [] : [code]), ...status].join(", ") || name;
  const why = "the message is not shown, for without the task's output nobody knows what in it is secret";
  return { ...failure, name, code, message: `${what}: ${why}` };
}
