import { PluginInputError, PluginOutputError, TaskError } from "@autokestra/plugin-sdk";
import { AutokestraError } from "@autokestra/secrets-core";

const CLASS_NAME = /^[A-Z][A-Za-z]{0,39}$/;
const CODE = /^[A-Z][A-Z0-9_]{0,63}$/;

/**
 * An error without its message. The action has secrets in its output and has failed before that was there: nobody knows what in the
 * message is secret. What our own errors say is known.
 */
export function withholdMessage(thrown: unknown): unknown {
  if (thrown instanceof PluginInputError || thrown instanceof PluginOutputError || thrown instanceof AutokestraError) {
    return thrown;
  }
  const name = nameOf(thrown);
  const why = "the message is not shown, for without the task's output nobody knows what in it is secret";
  if (!(thrown instanceof TaskError)) return Object.assign(new Error(`${name}: ${why}`), { name });
  const { retryable, retryAfterSeconds, status } = thrown;
  const code = CODE.test(thrown.code) ? thrown.code : undefined;
  const what = [code, Number.isInteger(status) ? `status ${status}` : undefined].filter((word) => word !== undefined);
  return new TaskError({
    message: `${what.length === 0 ? name : what.join(", ")}: ${why}`,
    code,
    status,
    retryable,
    retryAfterSeconds,
  });
}

/**
 * The same error, but for one of `JSON.parse`: that quotes ten characters of what it has read, a piece of a secret that no masker
 * knows.
 */
export function withoutExcerpt(thrown: unknown): unknown {
  return thrown instanceof SyntaxError &&
    nameOf(thrown) === "SyntaxError" &&
    thrown.message.endsWith(" is not valid JSON")
    ? new SyntaxError("a text is not valid JSON")
    : thrown;
}

/** Whoever throws may have given his error any name, and any getter. */
function nameOf(thrown: unknown): string {
  try {
    return thrown instanceof Error && CLASS_NAME.test(thrown.name) ? thrown.name : "Error";
  } catch {
    return "Error";
  }
}
