import { type Context, createContext, Script } from "node:vm";
import type { InputDeclaration } from "./workflow.ts";

/** How long a pattern may take for one text: `^(a+)+$` could take years, and nothing else would run meanwhile. */
const MATCH_MILLISECONDS = 250;
/**
 * How long one may take that has taken too long before: whoever sends such texts again and again must not hold a server each time, and others
 * can still start its workflow with texts that match at once.
 */
const SLOW_MILLISECONDS = 10;
/** For how long, in milliseconds: the machine may have been busy. */
const SLOW_FOR = 600_000;
/** How many of them are remembered: a client that may start texts makes as many as it likes. */
const MAX_SLOW = 1000;

/** Returns what is wrong with the value of an input, to be put behind its name; null if nothing is. Names no value. */
export function inputProblem(declaration: InputDeclaration, value: unknown): string | null {
  const { type, enum: allowed, pattern, min, max } = declaration;
  if (type !== "json" && typeof value !== type) return `must be a ${type}`;
  if (allowed !== undefined && !allowed.some((one) => JSON.stringify(one) === JSON.stringify(value))) {
    return `must be one of ${allowed.map((one) => String(one)).join(", ")}`;
  }
  if (typeof value === "string" && pattern !== undefined) {
    const isMatch = matches(pattern, value);
    if (isMatch === null) return `takes too long to match ${pattern}`;
    if (!isMatch) return `must match ${pattern}`;
  }
  const size = typeof value === "string" ? Array.from(value).length : value;
  if (typeof size !== "number") return null;
  const unit = typeof value === "string" ? " characters" : "";
  if (min !== undefined && size < min) return `must be at least ${min}${unit}`;
  return max !== undefined && size > max ? `must be at most ${max}${unit}` : null;
}

/** The patterns that have taken too long in this process, the oldest first, and until when that counts. */
const slow = new Map<string, number>();

function rememberSlow(pattern: string): void {
  const [oldest] = slow.keys();
  if (slow.size >= MAX_SLOW && oldest !== undefined) slow.delete(oldest);
  slow.set(pattern, performance.now() + SLOW_FOR);
}

function isSlow(pattern: string): boolean {
  return (slow.get(pattern) ?? 0) > performance.now();
}

let matcher: { readonly script: Script; readonly context: Context } | undefined;

/** Null if it takes too long. Only a script can be stopped, so the expression is run in one. */
function matches(pattern: string, text: string): boolean | null {
  matcher ??= { script: new Script("new RegExp(pattern, 'u').test(text)"), context: createContext() };
  const { script, context } = matcher;
  try {
    Object.assign(context, { pattern, text });
    const timeout = isSlow(pattern) ? SLOW_MILLISECONDS : MATCH_MILLISECONDS;
    return script.runInContext(context, { timeout }) === true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
    rememberSlow(pattern);
    return null;
  } finally {
    Object.assign(context, { pattern: "", text: "" });
  }
}
