import type { Masker } from "../masker.ts";

/**
 * Masks the log lines of pino in its hook `streamWrite` (pino 10.3.1, docs/api.md).
 *
 * @module
 */

/** The value of pino's option `hooks`. Lines are JSON with a line end, before and after masking. */
export interface PinoHooks {
  readonly streamWrite: (line: string) => string;
}

/**
 * Creates hooks for pino 10 that mask every line as it is written: after serializers, formatters and mixins, before any
 * stream or transport. The line stays valid JSON, also if a secret is a number or extends across quotes. The hooks do
 * not reach streams that ask pino for the record beside the line (`pino.metadata`).
 *
 * @example
 * ```ts
 * import { createMasker } from "@autokestra/secrets-masker";
 * import { createPinoHooks } from "@autokestra/secrets-masker/pino";
 *
 * const hooks = createPinoHooks(createMasker(["s3cret-t0ken"])); // for pino({ hooks })
 * const line = '{"level":30,"token":"s3cret-t0ken"}\n';
 * console.log(hooks.streamWrite(line).trim()); // prints {"level":30,"token":"***SECRET***"}
 * ```
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

/** Builds the line from its masked parts, with numbers as strings. Masks it again for secrets across parts. */
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
