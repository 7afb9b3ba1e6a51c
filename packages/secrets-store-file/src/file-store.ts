import { resolve } from "node:path";
import {
  checkHeader,
  KEPT_VERSIONS,
  passesFilter,
  type SecretMetadata,
  type SecretName,
  type SecretStoreFile,
  storeClosed,
  storeUnavailable,
} from "@autokestra/secrets-core";
import { createPrivateFile, sweepDrafts } from "@autokestra/secrets-files";
import {
  loadSecrets,
  markSecret,
  purgeSecrets,
  putSecrets,
  readable,
  resealSecrets,
  wasDeletedBefore,
} from "./document-changes.ts";
import { createDocumentFile, type DocumentFile } from "./document-file.ts";
import { parseEntry, parseEntryMetadata, parseHistory } from "./secret-entry.ts";
import { formatDocument, type SecretsDocument } from "./secrets-document.ts";
import { attempt } from "./store-error.ts";

export interface FileStoreOptions {
  /** How long to wait for other processes, in milliseconds; 5000 unless told. */
  readonly lockTimeoutMs?: number | undefined;
  /** Make the store where there is none; true unless told. */
  readonly create?: boolean | undefined;
}

/**
 * Opens a store of sealed secrets in one JSON file, and makes it where there is none: the file with mode 0600, its folder with
 * 0700, also under umask 000. Looser modes are tightened before a write. Any number of processes may use it at once: readers
 * never wait, writers wait for each other. A file that is gone is an error from then on, never an empty store.
 *
 * @param path the file; a symbolic link is refused
 * @throws AutokestraError `STORE_UNAVAILABLE`, `STORE_CORRUPT`, `STORE_TOO_NEW`
 */
export async function openFileStore(path: string, options: FileStoreOptions = {}): Promise<SecretStoreFile> {
  const { lockTimeoutMs = 5000, create = true } = options;
  const file = resolve(path);
  const document = createDocumentFile(file, lockTimeoutMs);
  if (create) await document.create();
  // What cannot be read is said now, not at the first secret.
  await document.read();
  return createStore(document, file);
}

function createStore(document: DocumentFile, file: string): SecretStoreFile {
  let open = true;

  function use(): DocumentFile {
    if (!open) throw storeClosed();
    return document;
  }

  /** For what often has nothing to do: without the lock then, also where nobody can write. */
  async function updateIfNeeded(change: (document: SecretsDocument) => SecretsDocument | null): Promise<boolean> {
    return change(await use().read()) !== null && (await use().update(change));
  }

  return {
    backend: "file",
    async readHeader() {
      return (await use().read()).header;
    },
    async writeHeader(next, expected) {
      return await updateIfNeeded(({ header, entries }) => (header === expected ? { header: next, entries } : null));
    },
    async get(name) {
      const entry = (await use().read()).entries.get(name);
      return entry === undefined ? null : readable(parseEntry(entry), name, file);
    },
    async history(name) {
      const entry = (await use().read()).entries.get(name);
      return entry === undefined ? [] : readable(parseHistory(entry), name, file);
    },
    async names({ after = "", limit = Number.POSITIVE_INFINITY } = {}) {
      const page: SecretName[] = [];
      for (const name of (await use().read()).entries.keys()) {
        if (page.length >= limit) break;
        // A damaged one too: who asks for it is told.
        if (name > after) page.push(name as SecretName);
      }
      return page;
    },
    async list(filter = {}) {
      const { after, limit = Number.POSITIVE_INFINITY } = filter;
      const page: SecretMetadata[] = [];
      for (const [name, entry] of (await use().read()).entries) {
        if (page.length >= limit) break;
        if (after !== undefined && name <= after) continue;
        const metadata = readable(parseEntryMetadata(entry), name, file);
        if (passesFilter(metadata, filter)) page.push(metadata);
      }
      return page;
    },
    async put(writes, header, { keepVersions = KEPT_VERSIONS } = {}) {
      await use().update((current) => {
        checkHeader(current.header, header);
        return putSecrets(current, writes, keepVersions, file);
      });
    },
    async reseal(secrets, header) {
      await use().update((current) => {
        checkHeader(current.header, header);
        return resealSecrets(current, secrets);
      });
    },
    async delete(name, deletedAt) {
      return await updateIfNeeded((current) => markSecret(current, name, deletedAt));
    },
    async restore(name) {
      return await updateIfNeeded((current) => markSecret(current, name, null));
    },
    async purge(name) {
      return await updateIfNeeded((current) => purgeSecrets(current, (one) => one === name));
    },
    async purgeDeleted(before) {
      let purged = 0;
      await updateIfNeeded((current) => {
        const next = purgeSecrets(current, (_, entry) => wasDeletedBefore(entry, before));
        purged = current.entries.size - (next ?? current).entries.size;
        return next;
      });
      return purged;
    },
    async backup(path) {
      const copy = resolve(path);
      const content = formatDocument(await use().read());
      await attempt(copy, () => {
        if (!createPrivateFile(copy, content)) throw storeUnavailable(copy, "there is something of this name already");
        sweepDrafts(copy);
      });
    },
    async load(histories) {
      await use().update((current) => loadSecrets(current, histories));
    },
    async exclusively(work) {
      return await use().exclusively(work);
    },
    async close() {
      open = false;
      await document.close();
    },
  };
}
