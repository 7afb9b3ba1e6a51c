import { PluginInputError, PluginOutputError } from "../errors.ts";
import { isInstance, UnreadableOutput } from "./json-text.ts";
import type { ThrownReport } from "./protocol.ts";

/**
 * Reads what an action has thrown. It never throws itself: an action may throw a proxy, a string, undefined, or an error
 * whose properties throw when they are read.
 */
export function readThrown(thrown: unknown): ThrownReport {
  if (isInstance(thrown, UnreadableOutput)) return { kind: "unreadable", message: thrown.message };
  if (typeof thrown === "function") return { kind: "value", message: "the action threw a function" };
  if (typeof thrown !== "object" || thrown === null) return { kind: "value", message: textOf(thrown as Primitive) };
  const isInput = isInstance(thrown, PluginInputError);
  const kind = isInput ? "input" : isInstance(thrown, PluginOutputError) ? "output" : "error";
  const report: ThrownReport = { kind };
  for (const key of ["name", "message", "code"] as const) {
    const value = readProperty(thrown, key);
    if (typeof value === "string") report[key] = value;
  }
  for (const key of ["status", "retryAfterSeconds"] as const) {
    const value = readProperty(thrown, key);
    if (typeof value === "number" && Number.isFinite(value)) report[key] = value;
  }
  const retryable = readProperty(thrown, "retryable");
  if (typeof retryable === "boolean") report.retryable = retryable;
  // The errors of fetch have their code in the cause.
  const causeCode = readProperty(readProperty(thrown, "cause"), "code");
  if (typeof causeCode === "string") report.causeCode = causeCode;
  return report;
}

type Primitive = string | number | bigint | boolean | symbol | null | undefined;

function textOf(value: Primitive): string {
  if (value === undefined || value === null) return `the action threw ${value}`;
  return String(value) || "the action threw an empty text";
}

/** Reads a property; undefined if it cannot be read. */
export function readProperty(thrown: unknown, key: string): unknown {
  if (typeof thrown !== "object" || thrown === null) return undefined;
  try {
    return Reflect.get(thrown, key);
  } catch {
    return undefined;
  }
}
