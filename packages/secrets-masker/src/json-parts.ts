import { MAX_LENGTH } from "./value-texts.ts";

/** What is nested deeper is not written again: each level costs an indent in each line. */
const MAX_DEPTH = 100;

/**
 * What comes alone where a program parses a value that is a JSON object or list, such as a service account: its texts and
 * numbers, at any depth, and the value as it is when it is written again, compact or with an indent of 2.
 */
export function jsonParts(value: string): readonly string[] {
  const root = parse(value);
  if (typeof root !== "object" || root === null) return [];
  const leaves: string[] = [];
  let depth = 0;
  for (let level: unknown[] = [root]; level.length > 0; depth++) {
    level = level.flatMap((item) => (typeof item === "object" && item !== null ? Object.values(item) : []));
    for (const item of level) if (typeof item === "string" || typeof item === "number") leaves.push(String(item));
  }
  return depth > MAX_DEPTH || value.length > MAX_LENGTH
    ? leaves
    : [...leaves, JSON.stringify(root), JSON.stringify(root, null, 2)];
}

function parse(value: string): unknown {
  if (!/^\s*[[{]/.test(value)) return null;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return null;
  }
}
