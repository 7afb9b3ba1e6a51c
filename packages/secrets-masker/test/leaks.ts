import { Buffer } from "node:buffer";
import type { Masker } from "../src/index.ts";

/** As often as `npm run faults` does it. */
const LONG = process.env["LONG_TESTS"] === "true";

const PLACEHOLDER = "***SECRET***";

/** PEM's first and last line, in no way a secret. */
const ARMOUR = ["-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"];

/** What stands around a value: white space, quotes and line ends, escaped or not. */
const FRAME = /^[\s\\"n]+$/;

/** Every piece of this length of a text that a masked text still shows. One of a frame or of armour shows nothing. */
export function leaksOf(masked: string, secret: string, length = 8): string[] {
  const pieces = new Set(piecesOf(secret, length));
  const shown = masked.split(PLACEHOLDER).flatMap((rest) => piecesOf(rest, length));
  return [...new Set(shown)].filter(
    (piece) => pieces.has(piece) && !FRAME.test(piece) && !ARMOUR.some((line) => line.includes(piece.trim())),
  );
}

function piecesOf(text: string, length: number): string[] {
  return Array.from({ length: Math.max(0, text.length - length + 1) }, (_, start) => text.slice(start, start + length));
}

/** What a stream makes of these pieces, in arrays that are used again where it does not own them. */
function streamed(masker: Masker, pieces: readonly Uint8Array[], ownsChunks: boolean): string {
  const stream = masker.stream({ ownsChunks });
  const outputs = pieces.map((piece) => {
    const chunk = Uint8Array.from(piece);
    const output = stream.push(chunk);
    if (!ownsChunks) chunk.fill(0);
    return output;
  });
  return Buffer.concat([...outputs, stream.flush()]).toString();
}

/** What a stream makes of a text that is cut in two anywhere (in `npm test`, at 4 places), and everywhere; each result once. */
export function streamedInAllWays(masker: Masker, text: string): Set<string> {
  const bytes = Buffer.from(text);
  const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
  const owned = LONG ? [true, false] : [bytes.length % 2 === 0];
  const results = new Set(owned.map((ownsChunks) => streamed(masker, single, ownsChunks)));
  const step = LONG ? 1 : Math.ceil(bytes.length / 4);
  for (let cut = 0; cut <= bytes.length; cut += step) {
    const halves = [bytes.subarray(0, cut), bytes.subarray(cut)];
    results.add(streamed(masker, halves, (cut / step) % 2 === 0));
  }
  return results;
}
