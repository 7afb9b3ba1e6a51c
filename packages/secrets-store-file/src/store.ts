import { resolve } from "node:path";
import { createPrivateFile, sweepTemporaryFiles } from "@autokestra/private-files";
import type { SecretFilter, SecretMetadata, SecretStore, StoreAbilities, StoreLayout } from "@autokestra/secrets-core";
import {
  checkAnchor,
  checkHeader,
  DEFAULT_MAX_VERSIONS,
  dataKeyInUse,
  layoutTooOld,
  onAllPages,
  passesFilter,
  storeClosed,
  storeUnavailable,
} from "@autokestra/secrets-core/internal";
import {
  deleteSecret,
  insertSecrets,
  purgeSecrets,
  putSecrets,
  readable,
  reencryptSecrets,
  rewriteSecret,
  upgradeDocument,
  wasDeletedBefore,
} from "./changes.ts";
import { anchorOf, type Entry, formatDocument, nameOf, replaceAnchor, type StoredDocument } from "./document.ts";
import { createDocumentFile, type DocumentChange, type DocumentFile } from "./document-file.ts";
import { isEncryptedWith, parseEntry, parseEntryMetadata, parseVersions } from "./entries.ts";
import { attempt } from "./file-lock.ts";

export interface FileStoreOptions {
  /** How long to wait for other processes, in milliseconds. Default: 5000. */
  readonly lockTimeoutMs?: number | undefined;
  /** Make the store where there is none. Default: true. */
  readonly create?: boolean | undefined;
}

/**
 * Opens a store of encrypted secrets in one JSON file, and makes it where there is none: the file with mode 0600, its folder with
 * 0700, also under umask 000. Looser modes are tightened before a write. Any number of processes may use it at once: readers
 * never wait, writers wait for each other. A file that is not found any more is an error from then on, never an empty store.
 *
 * @param path the file; a symbolic link is refused
 * @throws AutokestraError `STORE_UNAVAILABLE`, `STORE_CORRUPT`, `STORE_TOO_NEW`
 */
export async function openFileStore(
  path: string,
  options: FileStoreOptions = {},
): Promise<SecretStore & StoreAbilities> {
  const { lockTimeoutMs = 5000, create = true } = options;
  const file = resolve(path);
  const document = createDocumentFile(file, lockTimeoutMs);
  if (create) await document.create();
  // What cannot be read is said now, not at the first secret.
  await document.read();
  let open = true;

  function use(): DocumentFile {
    if (!open) throw storeClosed();
    return document;
  }

  return {
    driver: "file",
    ...createReader(use, file),
    ...createWriter(use, file),
    ...createRemover(use),
    async exclusively(work) {
      return await use().exclusively(work);
    },
    async close() {
      open = false;
      await document.close();
    },
  };
}

type FileStore = SecretStore & StoreAbilities;
type Methods<Name extends keyof FileStore> = Pick<FileStore, Name>;

/** @param use gives the file, as long as the store is open */
function createReader(
  use: () => DocumentFile,
  file: string,
): Methods<
  "layout" | "readHeader" | "get" | "find" | "versions" | "ids" | "list" | "count" | "readAnchor" | "anchors" | "backup"
> {
  function parsed<T>(id: string, { entries, layout }: StoredDocument, parse: Parse<T>): T | null {
    const entry = entries.get(id);
    return entry === undefined ? null : readable(parse(entry, layout), nameOf(entry), file);
  }

  /** Entries are in the order of lists. */
  async function listed(filter: SecretFilter, atMost: number): Promise<SecretMetadata[]> {
    const { entries, layout } = await use().read();
    const found: SecretMetadata[] = [];
    for (const [id, entry] of entries) {
      if (found.length >= atMost) break;
      if (!isAskedFor(id, nameOf(entry), filter)) continue;
      const metadata = readable(parseEntryMetadata(entry, layout), nameOf(entry), file);
      if (passesFilter(metadata, filter)) found.push(metadata);
    }
    return found;
  }

  return {
    async layout() {
      return (await use().read()).layout;
    },
    async readHeader() {
      return (await use().read()).header;
    },
    async get(name) {
      const document = await use().read();
      const id = document.active.get(name);
      return id === undefined ? null : parsed(id, document, parseEntry);
    },
    async find(id) {
      return parsed(id, await use().read(), parseEntry);
    },
    async versions(id) {
      return parsed(id, await use().read(), parseVersions) ?? [];
    },
    async ids({ name, after = "", limit } = {}) {
      const { entries } = await use().read();
      // A damaged one too: who asks for it is told.
      const wanted = [...entries].filter(([id, entry]) => id > after && (name === undefined || nameOf(entry) === name));
      const ids = wanted.map(([id]) => id).sort();
      return ids.slice(0, limit);
    },
    async list(filter = {}) {
      const { skip = 0, limit = Number.POSITIVE_INFINITY } = filter;
      return (await listed(filter, skip + limit)).slice(skip);
    },
    async count(filter) {
      return (await listed(onAllPages(filter), Number.POSITIVE_INFINITY)).length;
    },
    async readAnchor(name) {
      return anchorOf(await use().read(), name, file);
    },
    async anchors() {
      const document = await use().read();
      return [...document.anchors.keys()].sort().flatMap((name) => anchorOf(document, name, file) ?? []);
    },
    async backup(path) {
      const copy = resolve(path);
      const content = formatDocument(await use().read());
      await attempt(copy, () => {
        if (!createPrivateFile(copy, content)) throw storeUnavailable(copy, "there is something of this name already");
        sweepTemporaryFiles(copy);
      });
    },
  };
}

type Parse<T> = (entry: Entry, layout: StoreLayout) => T | null;

/** Whether a filter may let it through, as far as this can be seen without its metadata, which may be damaged. */
function isAskedFor(
  id: string,
  name: string,
  { name: only = name, prefix = "", id: onlyId = id, anyPrefix, after, afterId }: SecretFilter,
): boolean {
  if (name !== only || id !== onlyId || !name.startsWith(prefix)) return false;
  if (anyPrefix?.some((one) => name.startsWith(one)) === false) return false;
  return after === undefined || name > after || (name === after && afterId !== undefined && id > afterId);
}

/** For what often has nothing to do: without the lock then, also where nobody can write. */
async function updateIfNeeded(document: DocumentFile, change: DocumentChange): Promise<boolean> {
  return change(await document.read()) !== null && (await document.update(change));
}

/** @param use gives the file, as long as the store is open */
function createWriter(
  use: () => DocumentFile,
  file: string,
): Methods<"upgrade" | "writeHeader" | "put" | "rewrite" | "reencrypt" | "writeAnchor" | "bulkInsert"> {
  return {
    async upgrade(header, expected, authenticate) {
      const isOld = (current: StoredDocument) => current.layout === 1 && current.header === expected;
      // Without the lock where there is nothing to do.
      if (!isOld(await use().read())) return false;
      return await use().update((current) => (isOld(current) ? upgradeDocument(current, header, authenticate) : null));
    },
    async writeHeader(header, expected, unusedKeys = []) {
      return await updateIfNeeded(use(), (current) => {
        checkLayout(current);
        if (current.header !== expected) return null;
        const entries = [...current.entries.values()];
        const used = unusedKeys.filter((keyId) => entries.some((entry) => isEncryptedWith(entry, keyId)));
        if (used.length > 0) throw dataKeyInUse(used);
        return { ...current, header };
      });
    },
    async put(writes, header, { maxVersions = DEFAULT_MAX_VERSIONS } = {}) {
      await use().update((current) => {
        checkLayout(current);
        checkHeader(current.header, header);
        return putSecrets(current, writes, maxVersions, file);
      });
    },
    async rewrite(change, header) {
      await use().update((current) => {
        checkLayout(current);
        checkHeader(current.header, header);
        return rewriteSecret(current, change, file);
      });
    },
    async reencrypt(secrets, header) {
      await use().update((current) => {
        checkLayout(current);
        checkHeader(current.header, header);
        return reencryptSecrets(current, secrets);
      });
    },
    async writeAnchor(anchor, expected) {
      return await updateIfNeeded(use(), (current) => {
        checkLayout(current);
        checkAnchor(anchor, expected);
        const stored = anchorOf(current, anchor.name, file);
        return (stored?.counter ?? null) === expected ? replaceAnchor(current, anchor) : null;
      });
    },
    async bulkInsert(secrets) {
      await use().update((current) => {
        checkLayout(current);
        return insertSecrets(current, secrets);
      });
    },
  };
}

/** What also writes to layout 1, and leaves it at that. */
function createRemover(use: () => DocumentFile): Methods<"delete" | "purge" | "purgeDeleted"> {
  return {
    async delete(id, deletedAt) {
      return await updateIfNeeded(use(), (current) => deleteSecret(current, id, deletedAt));
    },
    async purge(...ids) {
      return await updateIfNeeded(use(), (current) => purgeSecrets(current, (id) => ids.includes(id)));
    },
    async purgeDeleted(before) {
      let purged = 0;
      await updateIfNeeded(use(), (current) => {
        const next = purgeSecrets(current, (_, entry) => wasDeletedBefore(entry, before, current.layout));
        purged = current.entries.size - (next ?? current).entries.size;
        return next;
      });
      return purged;
    },
  };
}

function checkLayout({ layout }: StoredDocument): void {
  if (layout === 1) throw layoutTooOld();
}
