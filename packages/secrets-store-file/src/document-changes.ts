import {
  AutokestraError,
  checkHistory,
  checkSealedSecret,
  checkWrite,
  type SealedSecret,
  type SecretMetadata,
  type SecretWrite,
  secretCorrupt,
  type Timestamp,
} from "@autokestra/secrets-core";
import { addVersion, createEntry, markDeleted, parseEntryMetadata, replaceEnvelope } from "./secret-entry.ts";
import type { Entry, SecretsDocument } from "./secrets-document.ts";

/**
 * What `SecretStore.put` makes of a document.
 *
 * @throws AutokestraError as `checkWrite`; `STORE_CORRUPT` for a secret that is damaged in the file at `path`
 */
export function putSecrets(
  { header, entries }: SecretsDocument,
  writes: readonly SecretWrite[],
  keepVersions: number,
  path: string,
): SecretsDocument {
  const changed = writes.map((write) => {
    const secret = checkWrite(write, (name) => metadataOf(entries.get(name), name, path));
    const { name } = secret.metadata;
    const entry = entries.get(name);
    const next = entry === undefined ? createEntry(secret) : addVersion(entry, secret, keepVersions);
    return [name, readable(next, name, path)] as const;
  });
  return { header, entries: new Map([...entries, ...changed]) };
}

/** What `SecretStore.reseal` makes of a document; null where it has none of these versions. */
export function resealSecrets(
  { header, entries }: SecretsDocument,
  secrets: readonly SealedSecret[],
): SecretsDocument | null {
  const changed = new Map<string, Entry>();
  for (const secret of secrets.map(checkSealedSecret)) {
    const { name } = secret.metadata;
    const entry = changed.get(name) ?? entries.get(name);
    const next = entry && replaceEnvelope(entry, secret);
    if (next !== undefined && next !== entry) changed.set(name, next);
  }
  return changed.size === 0 ? null : { header, entries: new Map([...entries, ...changed]) };
}

/** Deletes a secret, or restores it (null); null where there is nothing to delete, or to restore. */
export function markSecret(
  { header, entries }: SecretsDocument,
  name: string,
  deletedAt: Timestamp | null,
): SecretsDocument | null {
  const entry = entries.get(name);
  const marked = entry === undefined ? null : markDeleted(entry, deletedAt);
  return marked === null ? null : { header, entries: new Map([...entries, [name, marked]]) };
}

/** The document without some secrets; null where it has none of them. */
export function purgeSecrets(
  { header, entries }: SecretsDocument,
  isPurged: (name: string, entry: Entry) => boolean,
): SecretsDocument | null {
  const rest = new Map([...entries].filter(([name, entry]) => !isPurged(name, entry)));
  return rest.size === entries.size ? null : { header, entries: rest };
}

/** Whether it was deleted before a moment. Of a damaged entry this is not known. */
export function wasDeletedBefore(entry: Entry, before: Timestamp): boolean {
  if (typeof entry["deletedAt"] !== "string") return false;
  return (parseEntryMetadata(entry)?.deletedAt ?? before) < before;
}

/**
 * What `SecretStoreFile.load` makes of a document.
 *
 * @throws AutokestraError `NAME_INVALID`, `VALUE_INVALID`, `SECRET_EXISTS`
 */
export function loadSecrets(
  { header, entries }: SecretsDocument,
  histories: readonly (readonly SealedSecret[])[],
): SecretsDocument {
  const all = new Map(entries);
  for (const history of histories) {
    const [newest, ...older] = checkHistory(history).toReversed();
    if (newest === undefined) continue;
    const { name } = newest.metadata;
    if (all.has(name)) throw new AutokestraError("SECRET_EXISTS", `Secret '${name}' exists already`);
    all.set(name, createEntry(newest, older));
  }
  return { header, entries: all };
}

/** A damaged secret is an error, not an absent one. */
export function readable<T>(parsed: T | null, name: string, path: string): T {
  if (parsed === null) throw secretCorrupt(path, name);
  return parsed;
}

function metadataOf(entry: Entry | undefined, name: string, path: string): SecretMetadata | null {
  return entry === undefined ? null : readable(parseEntryMetadata(entry), name, path);
}
