/** The kind of a part of a structured value. */
export type PartKind =
  | "password"
  | "token"
  | "path segment"
  | "query value"
  | "setting"
  | "JSON value"
  | "XML value"
  | "decoded text";

/** A text that programs take out of a structured value. */
export interface Piece {
  readonly kind: PartKind;
  readonly text: string;
  /** The same text as the value spells it, if that differs: percent-encoded, escaped. */
  readonly spelled?: readonly string[];
  /** The name of the setting, field or element that it belongs to. */
  readonly key?: string;
  /**
   * What the place alone says: a password is secret, a user name is public. Without it, the key and the text decide.
   */
  readonly place?: "secret" | "public";
}

/** Takes one kind of structure apart. Returns null if the text has no such structure. */
export type PieceReader = (text: string) => readonly Piece[] | null;

/** Values and parts with fewer characters are never masked: the log would become unreadable. */
const MIN_LENGTH = 4;

/** Shorter texts match only as whole words. */
export const MIN_LENGTH_ANYWHERE = 8;

const COMMON_WORDS: ReadonlySet<string> = new Set(["true", "false", "null", "yes", "no"]);

/**
 * Tells whether a masker masks this value. Use it to warn somebody who stores a value that is not masked. A value is
 * not masked if it has fewer than 4 characters (code points), or if it is `true`, `false`, `null`, `yes` or `no`,
 * whatever the case. White space around the value does not count.
 *
 * @example
 * ```ts
 * import { isMaskable } from "@autokestra/secrets-masker";
 *
 * console.log(isMaskable("s3cret"), isMaskable("123"), isMaskable("True")); // prints true false false
 * ```
 */
export function isMaskable(text: string): boolean {
  const trimmed = text.trim();
  return hasCharacters(trimmed, MIN_LENGTH) && !COMMON_WORDS.has(trimmed.toLowerCase());
}

/** Tells whether the text has at least `minimum` characters (code points). */
export function hasCharacters(text: string, minimum: number): boolean {
  return text.length >= minimum && (text.length >= 2 * minimum || Array.from(text).length >= minimum);
}
