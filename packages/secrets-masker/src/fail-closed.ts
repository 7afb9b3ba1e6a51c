/** Stands where masking itself failed: what could not be masked is not shown. */
export const REDACTION_FAILED = "[redaction failed]";

/** The same as bytes, a new array each time: whoever gets it may write to it. */
export function redactionFailedBytes(): Uint8Array {
  return new TextEncoder().encode(REDACTION_FAILED);
}

/** What `mask` returns, or `instead` where it throws, whatever it throws. */
export function failClosed<Masked>(instead: Masked, mask: () => Masked): Masked {
  try {
    return mask();
  } catch {
    return instead;
  }
}
