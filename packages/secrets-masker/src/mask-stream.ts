import { failClosed, REDACTION_FAILED } from "./fail-closed.ts";
import { createUnitStream, type MaskRules } from "./unit-stream.ts";
import { bytesFromUnits, unitsFromBytes } from "./units.ts";

/**
 * Bytes in, masked bytes out. The output does not depend on how the input was cut into chunks. Held back is only what could
 * still become a match, never more than the longest form of a value, and never for a time: only more bytes or the end decide.
 * Where masking fails, `[redaction failed]` takes the place of the chunk and of what was held.
 */
export interface MaskStream {
  /** Takes a chunk, which may be reused afterwards, and gives back all that can go out. Never throws. */
  push(chunk: Uint8Array): Uint8Array<ArrayBuffer>;

  /**
   * The rest. A value that the end cuts off is masked where at least 8 bytes of it are there. The next `push` begins a new
   * stream. Never throws.
   */
  flush(): Uint8Array<ArrayBuffer>;
}

export function createMaskStream(rules: MaskRules): MaskStream {
  let stream = createUnitStream(rules);

  function restart(units: string): Uint8Array<ArrayBuffer> {
    stream = createUnitStream(rules);
    return bytesFromUnits(units);
  }

  return {
    push(chunk) {
      const units = failClosed(null, () => stream.push(unitsFromBytes(chunk)));
      return units === null ? restart(REDACTION_FAILED) : bytesFromUnits(units);
    },
    flush: () => restart(failClosed(REDACTION_FAILED, () => stream.flush())),
  };
}
