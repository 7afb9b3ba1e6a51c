import {
  type Envelope,
  type SealedSecret,
  type SecretMetadata,
  sealedSecretSchema,
  secretMetadataSchema,
  type Timestamp,
} from "@autokestra/secrets-core";
import { asObject, type Entry } from "./secrets-document.ts";

/**
 * A secret as the file keeps it: the metadata of its newest version, its envelope with the bytes in base64 (RFC 4648, section
 * 4), and in `older` what each version before has of its own, the newest first. What changes an entry takes it as it was read:
 * of what this version does not know, or what is damaged, nothing is lost.
 */
export function createEntry({ metadata, envelope }: SealedSecret, older: readonly SealedSecret[] = []): Entry {
  const versions = older.map((secret) => ownFields(createEntry(secret)));
  return { ...metadata, envelope: formatEnvelope(envelope), older: versions };
}

/** What is of one version alone. */
function ownFields({ id: _id, name: _name, deletedAt: _deletedAt, older: _older, ...fields }: Entry): Entry {
  return fields;
}

/** The entry with one more version and at most `keepVersions`, or null where its older versions are damaged. */
export function addVersion(entry: Entry, secret: SealedSecret, keepVersions: number): Entry | null {
  const { older } = entry;
  if (!Array.isArray(older)) return null;
  return { ...createEntry(secret), older: [ownFields(entry), ...older].slice(0, keepVersions - 1) };
}

/** The entry with another envelope in this version, or the same entry where it has no such version. */
export function replaceEnvelope(entry: Entry, { metadata: { id, version }, envelope }: SealedSecret): Entry {
  const { older } = entry;
  if (entry["id"] !== id) return entry;
  const replacement = { envelope: formatEnvelope(envelope) };
  if (entry["version"] === version) return { ...entry, ...replacement };
  if (!Array.isArray(older) || !older.some(isThis)) return entry;
  return { ...entry, older: older.map((one) => (isThis(one) ? { ...one, ...replacement } : one)) };

  function isThis(one: unknown): boolean {
    return asObject(one)?.["version"] === version;
  }
}

/** The entry as deleted at this moment, or as in use; null where it is deleted, or in use, already. */
export function markDeleted(entry: Entry, deletedAt: Timestamp | null): Entry | null {
  const isDeleted = typeof entry["deletedAt"] === "string";
  return isDeleted === (deletedAt !== null) ? null : { ...entry, deletedAt };
}

/** The newest version, or null where it is not what {@link createEntry} writes. */
export function parseEntry(entry: Entry): SealedSecret | null {
  const { envelope, ...metadata } = entry;
  return sealedSecretSchema.safeParse({ metadata, envelope: parseEnvelope(envelope) }).data ?? null;
}

/** All versions, the newest first, or null where one of them is damaged. */
export function parseHistory(entry: Entry): readonly SealedSecret[] | null {
  const { id, name, deletedAt, older } = entry;
  if (!Array.isArray(older)) return null;
  const versions = [entry, ...older.map((one) => ({ ...asObject(one), id, name, deletedAt }))].map(parseEntry);
  return versions.every((version) => version !== null) ? versions : null;
}

/** The metadata, or null where they are not what {@link createEntry} writes. The envelope may be damaged. */
export function parseEntryMetadata(entry: Entry): SecretMetadata | null {
  return secretMetadataSchema.safeParse(entry).data ?? null;
}

function formatEnvelope({ format, keyId, nonce, tag, ciphertext }: Envelope): Entry {
  return { format, keyId, nonce: toBase64(nonce), tag: toBase64(tag), ciphertext: toBase64(ciphertext) };
}

function parseEnvelope(envelope: unknown): object {
  const { nonce, tag, ciphertext, ...rest } = asObject(envelope) ?? {};
  return { ...rest, nonce: fromBase64(nonce), tag: fromBase64(tag), ciphertext: fromBase64(ciphertext) };
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
