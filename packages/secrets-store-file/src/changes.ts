import type {
  EncryptedSecret,
  ReencryptedSecret,
  SecretMetadata,
  SecretRewrite,
  SecretWrite,
  StoreLayout,
  Timestamp,
} from "@autokestra/secrets-core";
import {
  checkEncryptedSecret,
  checkRewrite,
  checkVersions,
  checkWrites,
  secretCorrupt,
  secretExists,
} from "@autokestra/secrets-core/internal";
import { type Entry, isDeleted, nameOf, type SecretsDocument, type StoredDocument } from "./document.ts";
import {
  addVersion,
  createEntry,
  parseEntry,
  parseEntryMetadata,
  parseSoundVersions,
  replaceEnvelope,
  replaceVersions,
  upgradeEntry,
} from "./entries.ts";

/** Returns a document of format 1 after `SecretStore.upgrade`. A damaged secret stays damaged and gets no mac. */
export function upgradeDocument(
  { entries }: SecretsDocument,
  header: string,
  authenticate: (secret: EncryptedSecret) => string,
): SecretsDocument {
  const upgraded = [...entries].map(([id, entry]) => {
    const secret = parseEntry(entry, 1);
    return [id, upgradeEntry(entry, secret === null ? null : authenticate(secret))] as const;
  });
  return { layout: 2, header, entries: new Map(upgraded), anchors: new Map() };
}

/**
 * Returns a document after `SecretStore.put`.
 *
 * @param path the path of the file, for messages
 * @throws AutokestraError as `checkWrites`; `STORE_CORRUPT` for a damaged secret
 */
export function putSecrets(
  document: StoredDocument,
  writes: readonly SecretWrite[],
  maxVersions: number,
  path: string,
): SecretsDocument {
  const entries = new Map(document.entries);
  const checked = checkWrites(writes, {
    living: (name) => activeMetadata(document, name, path),
    has: (id) => entries.has(id),
  });
  for (const { secret, isNew } of checked) {
    const { id } = secret.metadata;
    const entry = entries.get(id);
    const next = isNew || entry === undefined ? createEntry(secret) : addVersion(entry, secret, maxVersions);
    entries.set(id, readable(next, secret.metadata.name, path));
  }
  return { ...document, entries };
}

/**
 * Returns a document after `SecretStore.rewrite`.
 *
 * @param path the path of the file, for messages
 * @throws AutokestraError as `checkRewrite`; `STORE_CORRUPT` for a damaged secret
 */
export function rewriteSecret(
  document: StoredDocument,
  change: SecretRewrite,
  maxVersions: number,
  path: string,
): SecretsDocument {
  const { entries, active } = document;
  const { versions, next } = checkRewrite(
    change,
    (id) => soundVersions(entries.get(id), path),
    (name) => active.get(name) ?? null,
  );
  const { id = "", name = "" } = versions[0]?.metadata ?? {};
  const entry = entries.get(id);
  const rewritten = readable(entry === undefined ? null : replaceVersions(entry, versions), name, path);
  const changed = next === null ? rewritten : readable(addVersion(rewritten, next, maxVersions), name, path);
  return { ...document, entries: new Map([...entries, [id, changed]]) };
}

/** Returns a document after `SecretStore.reencrypt`; null if it has none of these versions. */
export function reencryptSecrets(
  document: SecretsDocument,
  secrets: readonly ReencryptedSecret[],
): SecretsDocument | null {
  const changed = new Map<string, Entry>();
  for (const { secret, nonce } of secrets) {
    const checked = checkEncryptedSecret(secret);
    const { id } = checked.metadata;
    const entry = changed.get(id) ?? document.entries.get(id);
    const next = entry && replaceEnvelope(entry, checked, nonce);
    if (next !== undefined && next !== entry) changed.set(id, next);
  }
  return changed.size === 0 ? null : { ...document, entries: new Map([...document.entries, ...changed]) };
}

/** Returns a document after `SecretStore.delete`; null if there is nothing to delete. */
export function deleteSecret(document: SecretsDocument, id: string, deletedAt: Timestamp): SecretsDocument | null {
  const entry = document.entries.get(id);
  if (entry === undefined || isDeleted(entry)) return null;
  return { ...document, entries: new Map([...document.entries, [id, { ...entry, deletedAt }]]) };
}

/** Returns a document without some secrets; null if it has none of them. */
export function purgeSecrets(
  document: SecretsDocument,
  isPurged: (id: string, entry: Entry) => boolean,
): SecretsDocument | null {
  const rest = new Map([...document.entries].filter(([id, entry]) => !isPurged(id, entry)));
  return rest.size === document.entries.size ? null : { ...document, entries: rest };
}

/** Tells whether an entry was deleted before a time. False for a damaged entry. */
export function wasDeletedBefore(entry: Entry, before: Timestamp, layout: StoreLayout): boolean {
  if (!isDeleted(entry)) return false;
  return (parseEntryMetadata(entry, layout)?.deletedAt ?? before) < before;
}

/**
 * Returns a document after `SecretStore.bulkInsert`.
 *
 * @throws AutokestraError `NAME_INVALID`, `VALUE_INVALID`, `SECRET_EXISTS`
 */
export function insertSecrets(
  document: StoredDocument,
  secrets: readonly (readonly EncryptedSecret[])[],
): SecretsDocument {
  const entries = new Map(document.entries);
  const names = new Set(document.active.keys());
  for (const versions of secrets) {
    const [newest, ...older] = checkVersions(versions);
    if (newest === undefined) continue;
    const { id, name, deletedAt } = newest.metadata;
    if (entries.has(id)) throw secretExists(name, `as one with id ${id}`);
    if (deletedAt === null && names.has(name)) throw secretExists(name, "not deleted");
    if (deletedAt === null) names.add(name);
    entries.set(id, createEntry(newest, older));
  }
  return { ...document, entries };
}

/** Throws for a damaged secret, which must not count as not found. */
export function readable<T>(parsed: T | null, name: string, path: string): T {
  if (parsed === null) throw secretCorrupt(path, name);
  return parsed;
}

function activeMetadata({ entries, active }: StoredDocument, name: string, path: string): SecretMetadata | null {
  const entry = entries.get(active.get(name) ?? "");
  return entry === undefined ? null : readable(parseEntryMetadata(entry), name, path);
}

function soundVersions(entry: Entry | undefined, path: string): readonly EncryptedSecret[] {
  return entry === undefined ? [] : readable(parseSoundVersions(entry), nameOf(entry), path);
}
