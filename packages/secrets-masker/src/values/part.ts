/** What a part of a structured value is. */
export type PartKind =
  | "password"
  | "token"
  | "path segment"
  | "query value"
  | "setting"
  | "JSON value"
  | "XML value"
  | "decoded text";

/** A text that programs take out of a value. */
export interface Piece {
  readonly kind: PartKind;
  readonly text: string;
  /** The same text as the value spells it, where that differs: percent-encoded, escaped. */
  readonly spelled?: readonly string[];
  /** The name of the setting, field or element that it belongs to. */
  readonly key?: string;
  /** What the place alone says: a password is secret, a user name is not. Where it says nothing, the key and the text decide. */
  readonly place?: "secret" | "public";
}

/** Takes one kind of structure apart, null where the text has none of it. */
export type Reader = (text: string) => readonly Piece[] | null;

/** Values and pieces with fewer characters than this are never masked: a log would lose its meaning. */
const MIN_LENGTH = 4;

/** Shorter texts than this match only as whole words. */
export const MIN_LENGTH_ANYWHERE = 8;

const COMMON_WORDS: ReadonlySet<string> = new Set(["true", "false", "null", "yes", "no"]);

/**
 * Can this value be masked? False for one of fewer than 4 characters (code points), such as an empty one, and for true, false,
 * null, yes and no in any case. White space around it does not count.
 */
export function isMaskable(text: string): boolean {
  const trimmed = text.trim();
  return hasCharacters(trimmed, MIN_LENGTH) && !COMMON_WORDS.has(trimmed.toLowerCase());
}

/** True where the text has at least `minimum` characters (code points). */
export function hasCharacters(text: string, minimum: number): boolean {
  return text.length >= minimum && (text.length >= 2 * minimum || Array.from(text).length >= minimum);
}
