import { AutokestraError, type Literal, type Reference } from "@autokestra/secrets-core";
import { formatReference } from "@autokestra/secrets-core/internal";
import type { Condition, Operand } from "./condition.ts";

/** Returns the value of a reference; null if `isOptional` and it is not there. */
export type PlainLookup = (reference: Reference, isOptional: boolean) => unknown;

/**
 * Tells whether a condition holds. Nothing is converted: a text never equals a number, and only two texts or two
 * numbers have an order.
 *
 * @throws AutokestraError `REFERENCE_INVALID` for what cannot be compared, and what `lookup` throws
 */
export function holds(condition: Condition, lookup: PlainLookup): boolean {
  switch (condition.kind) {
    case "or":
      return chainOf(condition).some((part) => holds(part, lookup));
    case "and":
      return chainOf(condition).every((part) => holds(part, lookup));
    case "not":
      return !holds(condition.condition, lookup);
    case "in":
      return condition.values.includes(plainValue(condition.operand, lookup));
    case "operand": {
      const value = plainValue(condition.operand, lookup);
      if (typeof value === "boolean") return value;
      throw invalidCondition(`${describe(condition.operand)} is ${typeName(value)}, not true or false`);
    }
    default:
      return compares(condition, lookup);
  }
}

/** The parts of `a or b or c`, each of which is a level of the tree: thousands of calls in each other would overflow. */
function chainOf(condition: Condition & { kind: "or" | "and" }): Condition[] {
  const parts: Condition[] = [];
  let left: Condition = condition;
  while (left.kind === condition.kind) {
    parts.push(left.right);
    left = left.left;
  }
  return [...parts, left].toReversed();
}

function compares(condition: Condition & { kind: "compare" }, lookup: PlainLookup): boolean {
  const { operator } = condition;
  const left = plainValue(condition.left, lookup);
  const right = plainValue(condition.right, lookup);
  if (operator === "==") return left === right;
  if (operator === "!=") return left !== right;
  const order = orderOf(left, right);
  if (order === null) {
    const what = `${describe(condition.left)} is ${typeName(left)} and ${describe(condition.right)} is ${typeName(right)}`;
    throw invalidCondition(`${what}: ${operator} compares two texts or two numbers`);
  }
  if (order === 0) return operator.endsWith("=");
  return operator.startsWith("<") === order < 0;
}

/** Negative, 0 or positive; null if the values have no order. */
function orderOf(left: Literal | null, right: Literal | null): number | null {
  if (typeof left === "number" && typeof right === "number") return left - right;
  if (typeof left === "string" && typeof right === "string") return left < right ? -1 : Number(left > right);
  return null;
}

function plainValue(operand: Operand, lookup: PlainLookup): Literal | null {
  if (operand.kind === "literal") return operand.value;
  const { reference, fallback } = operand;
  const found = lookup(reference, fallback !== null) ?? fallback?.value ?? null;
  if (found === null || typeof found === "string" || typeof found === "number" || typeof found === "boolean") {
    return found;
  }
  throw invalidCondition(`${describe(operand)} is ${typeName(found)}, which cannot be compared`);
}

/** Names an operand without its value. */
function describe(operand: Operand): string {
  return operand.kind === "literal" ? "the literal" : `'${formatReference(operand.reference)}'`;
}

function typeName(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return TYPE_NAMES[typeof value] ?? "an object";
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  boolean: "true or false",
};

function invalidCondition(what: string): AutokestraError {
  return new AutokestraError("REFERENCE_INVALID", `The condition cannot be decided: ${what}`);
}
