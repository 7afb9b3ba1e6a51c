import type { InputDeclaration } from "./workflow.ts";

/** Returns what is wrong with the value of an input, to be put behind its name; null if nothing is. Names no value. */
export function inputProblem(declaration: InputDeclaration, value: unknown): string | null {
  const { type, enum: allowed, pattern, min, max } = declaration;
  if (type !== "json" && typeof value !== type) return `must be a ${type}`;
  if (allowed !== undefined && !allowed.some((one) => JSON.stringify(one) === JSON.stringify(value))) {
    return `must be one of ${allowed.map((one) => String(one)).join(", ")}`;
  }
  if (typeof value === "string" && pattern !== undefined && !new RegExp(pattern, "u").test(value)) {
    return `must match ${pattern}`;
  }
  const size = typeof value === "string" ? Array.from(value).length : value;
  if (typeof size !== "number") return null;
  const unit = typeof value === "string" ? " characters" : "";
  if (min !== undefined && size < min) return `must be at least ${min}${unit}`;
  return max !== undefined && size > max ? `must be at most ${max}${unit}` : null;
}
