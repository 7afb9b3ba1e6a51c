import type { Masker } from "../masker.ts";

/**
 * Masks the lines of pino, in its hook `streamWrite` (pino 10.3.1, docs/api.md).
 *
 * @module
 */

/** What pino's option `hooks` takes. The line that goes in and the one that comes out are JSON with a line end. */
export interface PinoHooks {
  readonly streamWrite: (line: string) => string;
}

/**
 * Every line is masked as it is written: after serializers, formatters and mixins, before any stream or transport. What comes
 * out is always JSON, also where a secret is a number or stands across quotes.
 *
 * @example pino({ hooks: createPinoHooks(masker) })
 */
export function createPinoHooks(masker: Pick<Masker, "mask" | "maskValue">): PinoHooks {
  return {
    streamWrite(line) {
      const masked = masker.mask(line);
      if (masked === line || isJson(masked)) return masked;
      const rebuilt = rebuild(masker, line);
      return isJson(rebuilt) ? rebuilt : `${JSON.stringify({ msg: masked })}\n`;
    },
  };
}

/** The line from masked parts, where a number becomes a text. Masked once more for what stands across the parts. */
function rebuild(masker: Pick<Masker, "mask" | "maskValue">, line: string): string {
  if (!isJson(line)) return "";
  const parts = masker.maskValue(JSON.parse(line));
  const maskNumber = (_key: string, part: unknown) => (typeof part === "number" ? numberOrText(masker, part) : part);
  return masker.mask(`${JSON.stringify(parts, maskNumber)}\n`);
}

function numberOrText(masker: Pick<Masker, "mask">, number: number): number | string {
  const masked = masker.mask(String(number));
  return masked === String(number) ? number : masked;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
