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
