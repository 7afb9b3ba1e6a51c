import { AutokestraError } from "@autokestra/secrets-core";
import { decodeBase64url } from "./base64url.ts";

const KEY_BYTES = 32;

/** The two halves of a Fernet key, 16 bytes each. */
export interface FernetKey {
  readonly signing: Buffer;
  readonly encryption: Buffer;
}

/**
 * Reads a Fernet key: 32 bytes in url-safe base64, the signing half first.
 *
 * @param position which one of several it is, from 1, for the message
 * @throws AutokestraError `KEY_INVALID`; the text is never in the message
 */
export function parseFernetKey(text: string, position: number): FernetKey {
  const bytes = decodeBase64url(text);
  if (bytes?.length !== KEY_BYTES) {
    throw new AutokestraError("KEY_INVALID", `Fernet key ${position} is not 32 bytes in url-safe base64`, {
      hint: "It has 44 characters. If it has + or / in it, write - and _ for them.",
    });
  }
  return { signing: bytes.subarray(0, 16), encryption: bytes.subarray(16) };
}
