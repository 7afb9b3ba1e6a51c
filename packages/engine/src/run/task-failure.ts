import { PluginInputError, PluginOutputError } from "@autokestra/plugin-sdk";
import { isInstance, readProperty } from "@autokestra/plugin-sdk/host";
import { AutokestraError } from "@autokestra/secrets-core";

/**
 * Why an attempt of a task failed. It holds only plain values, so that reading it runs no code of a plugin. Not masked.
 */
export interface TaskFailure {
  readonly name: string;
  /** The code for programs, such as `TIMED_OUT`. */
  readonly code: string;
  readonly message: string;
  /** The HTTP status that caused the failure, if there is one. */
  readonly status?: number;
  /** Whether another attempt can succeed. A workflow that lists the status in `retry.on` retries anyway. */
  readonly retryable: boolean;
  /** The minimum wait before the next attempt, in seconds. */
  readonly retryAfterSeconds?: number;
  /** Whether the message comes from the engine and not from the action. */
  readonly isOurs: boolean;
}

/** The code of errors without one. */
const DEFAULT_CODE = "TASK_FAILED";
const ERROR_CODE = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;
const NAME = /^[\w$.-]{1,100}$/;

/** Fails an attempt for a reason of the engine, not of the action. It is not retried by default. */
export class EngineFailure extends Error {
  readonly failure: TaskFailure;

  constructor(code: string, message: string, retryable = false) {
    super(message);
    this.failure = { name: "Error", code, message, retryable, isOurs: true };
  }
}

/**
 * Describes what an action threw. It never throws itself: a plugin may throw a proxy, a string, undefined, or an error
 * whose properties throw when they are read.
 */
export function describeThrown(thrown: unknown): TaskFailure {
  if (isInstance(thrown, EngineFailure)) return thrown.failure;
  const isInput = isInstance(thrown, PluginInputError);
  const isOurs = isInput || isInstance(thrown, PluginOutputError) || isInstance(thrown, AutokestraError);
  const status = readStatus(thrown);
  const retryAfterSeconds = readProperty(thrown, "retryAfterSeconds");
  const name = readProperty(thrown, "name");
  return {
    name: typeof name === "string" && NAME.test(name) ? name : "Error",
    // The errors of fetch have their code in the cause.
    code: isInput ? "INPUT_INVALID" : (readCode(thrown) ?? readCode(readProperty(thrown, "cause")) ?? DEFAULT_CODE),
    message: readMessage(thrown),
    ...(status === undefined ? {} : { status }),
    retryable: !isInput && !isInstance(thrown, AutokestraError) && readProperty(thrown, "retryable") !== false,
    ...(typeof retryAfterSeconds === "number" && retryAfterSeconds >= 0 ? { retryAfterSeconds } : {}),
    isOurs,
  };
}

/** Converts any value to text without throwing. */
export function toText(value: unknown): string {
  try {
    return String(value);
  } catch {
    return "[unreadable]";
  }
}

function readStatus(thrown: unknown): number | undefined {
  const status = readProperty(thrown, "status");
  return typeof status === "number" && Number.isInteger(status) && status >= 100 && status <= 599 ? status : undefined;
}

function readCode(thrown: unknown): string | undefined {
  const code = readProperty(thrown, "code");
  return typeof code === "string" && ERROR_CODE.test(code) ? code : undefined;
}

function readMessage(thrown: unknown): string {
  if (thrown === undefined || thrown === null) return `the action threw ${thrown}`;
  if (typeof thrown === "function") return "the action threw a function";
  if (typeof thrown !== "object") return toText(thrown) || "the action threw an empty text";
  const message = readProperty(thrown, "message");
  // JSON.parse quotes ten characters of its input, which can be a piece of a secret that no masker finds.
  if (typeof message === "string" && message.endsWith(" is not valid JSON")) return "a text is not valid JSON";
  if (typeof message === "string" && message !== "") return message;
  const code = readCode(thrown);
  if (code !== undefined) return code;
  return message === ""
    ? "the action threw an error without a message"
    : "the action threw something without a readable message";
}

const CLASS_NAME = /^[A-Z][A-Za-z]{0,39}$/;
const UPPER_CASE_CODE = /^[A-Z][A-Z0-9_]{0,63}$/;

/**
 * Removes the message of an action that has secret outputs and failed before its output was known: nobody can tell what
 * in the message is secret. Messages of the engine stay.
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
