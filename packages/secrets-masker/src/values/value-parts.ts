import { netrcPieces, optionPieces, pairPieces, schemePieces, secondWordPieces } from "./credentials.ts";
import { rewritten } from "./parse-url.ts";
import type { PartKind, Piece, PieceReader } from "./part.ts";
import { hasPublicKey, isCredential, isPassword, isSecret } from "./secrecy.ts";
import { flowPieces, settingPieces, urlPieces } from "./settings.ts";
import { decodedPieces, jsonPieces, xmlPieces } from "./structured.ts";
import { MAX_LENGTH, MAX_LINES, splitLines } from "./value-texts.ts";

/** The maximum number of texts of a value that are taken apart. */
const MAX_PIECES = 10_000;

/** Only the first of these that can read the text is used: its parts belong together. */
const DOCUMENTS: readonly PieceReader[] = [jsonPieces, xmlPieces];
const NOTATIONS: readonly PieceReader[] = [
  netrcPieces,
  linePieces,
  urlPieces,
  schemePieces,
  settingPieces,
  optionPieces,
  flowPieces,
];

/** The number of parts of one kind that a value has. */
export interface MaskedPart {
  readonly kind: PartKind;
  readonly count: number;
}

/**
 * Counts the parts of a structured value that are masked on their own, such as the password in a URL. Use it to show
 * somebody who stores a secret what is masked. The result contains kinds, never text, and is empty if the value is
 * masked only as a whole.
 *
 * @example
 * ```ts
 * import { maskedParts } from "@autokestra/secrets-masker";
 *
 * console.log(maskedParts("postgres://app:s3cret@db:5432/orders")); // prints [ { kind: 'password', count: 1 } ]
 * ```
 */
export function maskedParts(value: string): readonly MaskedPart[] {
  const counts = new Map<PartKind, number>();
  for (const { kind } of valueParts(value)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return Array.from(counts, ([kind, count]) => ({ kind, count }));
}

/** Returns the parts of a value that are secret on their own, including parts of parts; each text once. */
export function valueParts(value: string): readonly Piece[] {
  const whole = [value, ...rewritten(value)].map((text): Piece => ({ kind: "token", text, place: "secret" }));
  const seen = new Map(whole.map((piece) => [piece.text, piece]));
  const parts = new Map<string, Piece>();
  for (const piece of seen.values()) {
    for (const part of takeApart(piece)) {
      if (seen.size > MAX_PIECES) break;
      if (whole.some(({ text }) => text === part.text)) continue;
      if (isSecret(part) && !parts.has(part.text)) parts.set(part.text, part);
      if (!seen.has(part.text)) seen.set(part.text, part);
    }
  }
  return [...parts.values()];
}

function takeApart(piece: Piece): readonly Piece[] {
  const { text } = piece;
  for (const read of DOCUMENTS) {
    const pieces = read(text);
    if (pieces !== null) return pieces;
  }
  if (text.length > MAX_LENGTH) return linePieces(text) ?? [];
  return [
    ...rewritten(text).map((other) => ({ ...piece, text: other })),
    ...NOTATIONS.flatMap((read) => read(text) ?? []),
    ...decodedPieces(piece),
    ...(isPassword(piece) || hasPublicKey(piece) ? [] : loosePieces(piece)),
  ];
}

/** Notations that only credentials have: in a password or in the name of an image, a colon separates nothing. */
function loosePieces(piece: Piece): readonly Piece[] {
  return [
    ...(secondWordPieces(piece.text) ?? []),
    ...pairPieces(piece.text, isCredential(piece) ? "secret" : undefined),
  ];
}

/** The lines of a value with several, each of which may be a setting. */
function linePieces(text: string): readonly Piece[] | null {
  const lines = splitLines(text).slice(0, MAX_LINES);
  return lines.length === 1 ? null : lines.map((line) => ({ kind: "setting", text: line, place: "public" }));
}
