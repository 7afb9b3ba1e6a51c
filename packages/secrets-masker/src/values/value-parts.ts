import { netrcPieces, optionPieces, pairPieces, schemePieces, secondWord } from "./credentials.ts";
import { rewritten } from "./parse-url.ts";
import type { PartKind, Piece, Reader } from "./part.ts";
import { hasPublicKey, isCredential, isPassword, isSecret } from "./secrecy.ts";
import { flowPieces, settingPieces, urlPieces } from "./settings.ts";
import { decodedPieces, jsonPieces, xmlPieces } from "./structured.ts";
import { MAX_LENGTH, MAX_LINES, splitLines } from "./value-texts.ts";

/** So many texts of a value are taken apart. */
const MAX_PIECES = 10_000;

/** The first of these that knows the text is the only one: its parts belong together. */
const DOCUMENTS: readonly Reader[] = [jsonPieces, xmlPieces];
const NOTATIONS: readonly Reader[] = [
  netrcPieces,
  linePieces,
  urlPieces,
  schemePieces,
  settingPieces,
  optionPieces,
  flowPieces,
];

/** How many parts of one kind a value has. */
export interface MaskedPart {
  readonly kind: PartKind;
  readonly count: number;
}

/**
 * What of a structured value is masked on its own, such as the password in a URL: by kind, never the text. For telling who stores
 * a secret; empty where the value is masked as a whole only.
 */
export function maskedParts(value: string): readonly MaskedPart[] {
  const counts = new Map<PartKind, number>();
  for (const { kind } of valueParts(value)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return Array.from(counts, ([kind, count]) => ({ kind, count }));
}

/** The parts of a value that are secret on their own, parts of parts too; each text once. */
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

/** What only a credential is written like: in a password, or in the name of an image, a colon divides nothing. */
function loosePieces(piece: Piece): readonly Piece[] {
  return [...(secondWord(piece.text) ?? []), ...pairPieces(piece.text, isCredential(piece) ? "secret" : undefined)];
}

/** The lines of a value that has several; each may be a setting. */
function linePieces(text: string): readonly Piece[] | null {
  const lines = splitLines(text).slice(0, MAX_LINES);
  return lines.length === 1 ? null : lines.map((line) => ({ kind: "setting", text: line, place: "public" }));
}
