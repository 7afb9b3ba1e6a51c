import { DEFAULT_CODE, type TaskFailure } from "./task-failure.ts";

const CLASS_NAME = /^[A-Z][A-Za-z]{0,39}$/;
const CODE = /^[A-Z][A-Z0-9_]{0,63}$/;

/**
 * A failure without its message. The action has secrets in its output and has failed before that was there: nobody knows what in the
 * message is secret. What our own errors say is known.
 */
export function withholdMessage(failure: TaskFailure): TaskFailure {
  if (failure.isOurs) return failure;
  const name = CLASS_NAME.test(failure.name) ? failure.name : "Error";
  const code = CODE.test(failure.code) ? failure.code : DEFAULT_CODE;
  const status = failure.status === undefined ? [] : [`status ${failure.status}`];
  const what = [...(code === DEFAULT_CODE ? [] : [code]), ...status].join(", ") || name;
  const why = "the message is not shown, for without the task's output nobody knows what in it is secret";
  return { ...failure, name, code, message: `${what}: ${why}` };
}
