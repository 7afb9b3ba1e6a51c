import type { EncryptedSecret, Envelope, SecretMetadata, SecretRewrite, StoreLayout } from "@autokestra/secrets-core";
import {
  copyMetadata,
  fieldNames,
  isMetadata,
  METADATA_FIELDS,
  readEncryptedSecret,
} from "@autokestra/secrets-core/internal";
import { asObject, type Entry } from "./document.ts";

/**
 * Returns the entry of a secret: the metadata of its current version, its mac, its envelope with the bytes in base64
 * (RFC 4648, section 4), and in `older` the own fields of each older version, the newest first. Functions that change
 * an entry keep everything else in it, also what is damaged or unknown.
 */
export function createEntry(secret: EncryptedSecret, older: readonly EncryptedSecret[] = []): Entry {
  return { ...formatVersion(secret), older: older.map((one) => ownFields(formatVersion(one))) };
}

function formatVersion({ metadata, mac, envelope }: EncryptedSecret): Entry {
  return { ...metadata, mac, envelope: formatEnvelope(envelope) };
}

/** The fields that are the same in all versions, or kept only with the current one. */
const OF_ALL_VERSIONS: readonly string[] = [
  "id",
  "name",
  ...fieldNames(METADATA_FIELDS, ({ keptWith }) => keptWith === "current version"),
];

/** Returns the fields that belong to one version. */
function ownFields(entry: Entry): Entry {
  const shared = [...OF_ALL_VERSIONS, "mac", "older"];
  return Object.fromEntries(Object.entries(entry).filter(([field]) => !shared.includes(field)));
}

/** Returns the entry with one more version and at most `maxVersions`; null if its older versions are damaged. */
export function addVersion(entry: Entry, secret: EncryptedSecret, maxVersions: number): Entry | null {
  const { older } = entry;
  if (!Array.isArray(older)) return null;
  return { ...createEntry(secret), older: [ownFields(entry), ...older].slice(0, Math.max(0, maxVersions - 1)) };
}

/**
 * Returns the entry with some versions replaced by those with the same numbers; the first one is the current one. Null
 * if older versions that must be replaced are damaged.
 */
export function replaceVersions(entry: Entry, [current, ...others]: SecretRewrite["versions"]): Entry | null {
  const replaced = current === undefined ? entry : { ...entry, ...formatVersion(current) };
  if (others.length === 0) return replaced;
  const { older } = entry;
  if (!Array.isArray(older)) return null;
  const byVersion = new Map<unknown, EncryptedSecret>(others.map((secret) => [secret.metadata.version, secret]));
  return {
    ...replaced,
    older: older.map((one) => {
      const secret = byVersion.get(asObject(one)?.["version"]);
      return secret === undefined ? one : { ...one, ...ownFields(formatVersion(secret)) };
    }),
  };
}

/**
 * Returns the entry with a new envelope for this version, and a new mac if it is the current one. Returns the same
 * entry if it has no such version, if that has another nonce, or if the mac is for another revision.
 */
export function replaceEnvelope(entry: Entry, { metadata, envelope, mac }: EncryptedSecret, nonce: Uint8Array): Entry {
  const { older } = entry;
  const replacement = { envelope: formatEnvelope(envelope) };
  if (isThis(entry)) {
    return entry["revision"] === metadata.revision ? { ...entry, mac, ...replacement } : entry;
  }
  if (!Array.isArray(older) || !older.some(isThis)) return entry;
  return { ...entry, older: older.map((one) => (isThis(one) ? { ...one, ...replacement } : one)) };

  function isThis(one: unknown): boolean {
    const fields = asObject(one);
    return fields?.["version"] === metadata.version && asObject(fields["envelope"])?.["nonce"] === toBase64(nonce);
  }
}

/** Tells whether any version is encrypted with this data key, even if it is damaged. */
export function isEncryptedWith(entry: Entry, keyId: string): boolean {
  const { older } = entry;
  const versions: readonly unknown[] = [entry, ...(Array.isArray(older) ? older : [])];
  return versions.some((version) => asObject(asObject(version)?.["envelope"])?.["keyId"] === keyId);
}

/** Returns an entry of format 1 with the metadata that format 2 adds. */
export function upgradeEntry(entry: Entry, mac: string | null): Entry {
  const added = Object.entries(METADATA_FIELDS).flatMap(([name, { inLayout1 }]) => {
    if (inLayout1 === undefined) return [];
    return [[name, "sameAs" in inLayout1 ? (entry[inLayout1.sameAs] ?? null) : inLayout1.value]];
  });
  return { ...entry, ...Object.fromEntries(added), mac };
}

/** Returns the current version; null if it is damaged. */
export function parseEntry(entry: Entry, layout: StoreLayout = 2): EncryptedSecret | null {
  const { mac = null, envelope, ...metadata } = inFormat2(entry, layout);
  return readEncryptedSecret({ metadata, envelope: parseEnvelope(envelope), mac });
}

/** Returns all versions, the newest first; null if one of them is damaged. */
export function parseVersions(entry: Entry, layout: StoreLayout = 2): readonly EncryptedSecret[] | null {
  if (!Array.isArray(entry["older"])) return null;
  const versions = parseEach(inFormat2(entry, layout));
  return versions.every((version) => version !== null) ? versions : null;
}

/** Returns all versions that are not damaged, the newest first; null if the current one is. */
export function parseSoundVersions(entry: Entry): readonly EncryptedSecret[] | null {
  const [current = null, ...older] = parseEach(entry);
  return current === null ? null : [current, ...older.filter((version) => version !== null)];
}

function parseEach({ older, ...current }: Entry): readonly (EncryptedSecret | null)[] {
  const whole = { ...Object.fromEntries(OF_ALL_VERSIONS.map((field) => [field, current[field]])), mac: null };
  const versions = Array.isArray(older) ? older.map((one) => ({ ...asObject(one), ...whole })) : [];
  return [current, ...versions].map((one) => parseEntry(one));
}

/** Returns the metadata; null if they are damaged. The envelope may be damaged. */
export function parseEntryMetadata(entry: Entry, layout: StoreLayout = 2): SecretMetadata | null {
  const metadata = inFormat2(entry, layout);
  return isMetadata(metadata) ? copyMetadata(metadata) : null;
}

function inFormat2(entry: Entry, layout: StoreLayout): Entry {
  return layout === 1 ? upgradeEntry(entry, null) : entry;
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

/** Returns undefined for anything except canonical base64, because Node ignores other characters. */
function fromBase64(text: unknown): Uint8Array | undefined {
  if (typeof text !== "string") return undefined;
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? new Uint8Array(bytes) : undefined;
}
