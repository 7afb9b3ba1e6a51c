/** Replaces what could not be masked: it is not shown. */
export const REDACTION_FAILED = "[redaction failed]";

/** The same as bytes, in a new array each time because the caller may write to it. */
export function redactionFailedBytes(): Uint8Array {
  return new TextEncoder().encode(REDACTION_FAILED);
}

/** Returns what `mask` returns, or `instead` if it throws anything. */
export function failClosed<Masked>(instead: Masked, mask: () => Masked): Masked {
  try {
    return mask();
  } catch {
    return instead;
  }
}
