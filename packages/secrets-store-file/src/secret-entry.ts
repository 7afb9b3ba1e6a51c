import {
  type SealedSecret,
  type SecretMetadata,
  sealedSecretSchema,
  secretMetadataSchema,
} from "@autokestra/secrets-core";
import { asObject } from "./secrets-document.ts";

/** A secret as the file keeps it: metadata, and the envelope with its bytes in base64 (RFC 4648, section 4). */
export function formatEntry({ metadata, envelope }: SealedSecret): object {
  const { format, keyId, nonce, tag, ciphertext } = envelope;
  const bytes = { nonce: toBase64(nonce), tag: toBase64(tag), ciphertext: toBase64(ciphertext) };
  return { ...metadata, envelope: { format, keyId, ...bytes } };
}

/** The secret, or null where the entry is not what {@link formatEntry} writes. */
export function parseEntry(entry: unknown): SealedSecret | null {
  const { envelope, ...metadata } = asObject(entry) ?? {};
  const { nonce, tag, ciphertext, ...rest } = asObject(envelope) ?? {};
  const bytes = { nonce: fromBase64(nonce), tag: fromBase64(tag), ciphertext: fromBase64(ciphertext) };
  return sealedSecretSchema.safeParse({ metadata, envelope: { ...rest, ...bytes } }).data ?? null;
}

/** The metadata, or null where they are not what {@link formatEntry} writes. The envelope may be damaged. */
export function parseEntryMetadata(entry: unknown): SecretMetadata | null {
  return secretMetadataSchema.safeParse(entry).data ?? null;
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

/** Undefined for anything but canonical base64: Node skips what it does not know, and other text would read the same. */
function fromBase64(text: unknown): Uint8Array | undefined {
  if (typeof text !== "string") return undefined;
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? new Uint8Array(bytes) : undefined;
}
