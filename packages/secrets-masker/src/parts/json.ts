import { MAX_LENGTH } from "../value-texts.ts";
import type { Piece } from "./part.ts";

/** What is nested deeper is not written again: each level costs an indent in each line. */
const MAX_DEPTH = 100;

interface Node {
  readonly key: string;
  readonly item: unknown;
}

/** The texts and numbers of a JSON object or list, at any depth, by the names of their fields. */
export function jsonPieces(text: string): readonly Piece[] | null {
  const root = parse(text);
  if (root === null) return null;
  const pieces: Piece[] = [];
  for (const level of levelsOf(root)) {
    for (const { key, item } of level) {
      if (typeof item === "string" || typeof item === "number")
        pieces.push({ kind: "JSON value", key, text: String(item) });
    }
  }
  return pieces;
}

/** The same JSON written again, compact or with an indent of 2. */
export function jsonRewritten(text: string): readonly string[] {
  const root = parse(text);
  if (root === null || text.length > MAX_LENGTH || levelsOf(root).length > MAX_DEPTH) return [];
  return [JSON.stringify(root), JSON.stringify(root, null, 2)];
}

function levelsOf(root: object): readonly (readonly Node[])[] {
  const levels: Node[][] = [];
  for (let level: Node[] = [{ key: "", item: root }]; level.length > 0; ) {
    level = level.flatMap(({ key, item }) => children(item, key));
    levels.push(level);
  }
  return levels;
}

/** Members of a list are called like the list; `{"name": "DB_PASSWORD", "value": "…"}` says what the value is called. */
function children(item: unknown, key: string): Node[] {
  if (Array.isArray(item)) return item.map((member: unknown) => ({ key, item: member }));
  if (typeof item !== "object" || item === null) return [];
  const fields = Object.entries(item);
  const name: unknown = fields.find(([field]) => /^(?:name|key)$/i.test(field))?.[1];
  return fields
    .filter(([field, value]) => value !== name || !/^(?:name|key)$/i.test(field) || !hasValue(fields))
    .map(([field, value]) => ({ key: typeof name === "string" && /^value$/i.test(field) ? name : field, item: value }));
}

function hasValue(fields: readonly (readonly [string, unknown])[]): boolean {
  return fields.some(([field]) => /^value$/i.test(field));
}

function parse(text: string): object | null {
  if (!/^\s*[[{]/.test(text)) return null;
  try {
    const root: unknown = JSON.parse(text);
    return typeof root === "object" ? root : null;
  } catch {
    return null;
  }
}
