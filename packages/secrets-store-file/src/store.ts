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
import { type DocumentChange, DocumentFile } from "./document-file.ts";
import { isEncryptedWith, parseEntry, parseEntryMetadata, parseVersions } from "./entries.ts";
import { attempt } from "./file-lock.ts";

export interface FileStoreOptions {
  /** How long to wait for other processes, in milliseconds. Default: 5000. */
  readonly lockTimeoutMs?: number | undefined;
  /** Create the store if it does not exist. If false, that is `STORE_UNAVAILABLE`. Default: true. */
  readonly create?: boolean | undefined;
}

/**
 * Opens a store of encrypted secrets in one JSON file, and creates it if it does not exist: the file with mode 0600 and
 * its folder with 0700, whatever the umask. Looser modes are tightened before a write. Use it if SQLite cannot be used,
 * or to keep secrets in git. Any number of processes may use it at the same time: readers never wait, writers wait for
 * each other. If the file is removed, that is an error and never an empty store. Close it at the end.
 *
 * @param path the path of the file; a symbolic link is refused
 * @throws AutokestraError `STORE_UNAVAILABLE`, `STORE_CORRUPT`, `STORE_TOO_NEW`
 *
 * @example
 * ```ts
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { parseSecretName } from "@autokestra/secrets-core";
 * import { sampleSecret } from "@autokestra/secrets-core/testing"; // an encrypted secret with made-up bytes
 * import { openFileStore } from "@autokestra/secrets-store-file";
 *
 * const store = await openFileStore(join(mkdtempSync(join(tmpdir(), "demo-")), "secrets.json"));
 * await store.put([{ secret: sampleSecret("TOKEN"), expected: null }], await store.readHeader());
 * console.log((await store.get(parseSecretName("TOKEN")))?.metadata.version); // prints 1
 * await store.close();
 * ```
 */
export async function openFileStore(
  path: string,
  options: FileStoreOptions = {},
): Promise<SecretStore & StoreAbilities> {
  const { lockTimeoutMs = 5000, create = true } = options;
  const file = resolve(path);
  const document = new DocumentFile(file, lockTimeoutMs);
  if (create) await document.create();
  // So that an unreadable store fails now, and not with the first secret.
  await document.read();
  let open = true;

  function use(): DocumentFile {
    if (!open) throw storeClosed();
    return document;
  }

  return {
    driver: "file",
    ...createReader(use, file),
    ...createCopier(use),
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

/** @param use returns the file while the store is open, and throws afterwards */
function createReader(
  use: () => DocumentFile,
  file: string,
): Methods<
  "layout" | "readHeader" | "get" | "find" | "versions" | "ids" | "list" | "count" | "readAnchor" | "anchors"
> {
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
      return id === undefined ? null : parsed(id, document, parseEntry, file);
    },
    async find(id) {
      return parsed(id, await use().read(), parseEntry, file);
    },
    async versions(id) {
      return parsed(id, await use().read(), parseVersions, file) ?? [];
    },
    async ids({ name, after = "", limit } = {}) {
      const { entries } = await use().read();
      // Includes damaged secrets. Reading one of them is an error.
      const wanted = [...entries].filter(([id, entry]) => id > after && (name === undefined || nameOf(entry) === name));
      const ids = wanted.map(([id]) => id).sort();
      return ids.slice(0, limit);
    },
    async list(filter = {}) {
      const { skip = 0, limit = Number.POSITIVE_INFINITY } = filter;
      return listed(await use().read(), filter, skip + limit, file).slice(skip);
    },
    async count(filter) {
      return listed(await use().read(), onAllPages(filter), Number.POSITIVE_INFINITY, file).length;
    },
    async readAnchor(name) {
      return anchorOf(await use().read(), name, file);
    },
    async anchors() {
      const document = await use().read();
      return [...document.anchors.keys()].sort().flatMap((name) => anchorOf(document, name, file) ?? []);
    },
  };
}

/** @param use returns the file while the store is open, and throws afterwards */
function createCopier(use: () => DocumentFile): Methods<"backup" | "snapshot"> {
  return {
    async backup(path) {
      const copy = resolve(path);
      const content = formatDocument(await use().read());
      await attempt(copy, () => {
        if (!createPrivateFile(copy, content)) throw storeUnavailable(copy, "it already exists");
        sweepTemporaryFiles(copy);
      });
    },
    async snapshot() {
      return Buffer.from(formatDocument(await use().read()));
    },
  };
}

type Parse<T> = (entry: Entry, layout: StoreLayout) => T | null;

function parsed<T>(id: string, { entries, layout }: StoredDocument, parse: Parse<T>, file: string): T | null {
  const entry = entries.get(id);
  return entry === undefined ? null : readable(parse(entry, layout), nameOf(entry), file);
}

/** Entries are in the order of lists. */
function listed(
  { entries, layout }: StoredDocument,
  filter: SecretFilter,
  atMost: number,
  file: string,
): SecretMetadata[] {
  const found: SecretMetadata[] = [];
  for (const [id, entry] of entries) {
    if (found.length >= atMost) break;
    if (!isAskedFor(id, nameOf(entry), filter)) continue;
    const metadata = readable(parseEntryMetadata(entry, layout), nameOf(entry), file);
    if (passesFilter(metadata, filter)) found.push(metadata);
  }
  return found;
}

/** Tells whether an entry can pass the filter, judging only by name and id, because its metadata can be damaged. */
function isAskedFor(
  id: string,
  name: string,
  { name: only = name, prefix = "", id: onlyId = id, anyPrefix, after, afterId }: SecretFilter,
): boolean {
  if (name !== only || id !== onlyId || !name.startsWith(prefix)) return false;
  if (anyPrefix?.some((one) => name.startsWith(one)) === false) return false;
  return after === undefined || name > after || (name === after && afterId !== undefined && id > afterId);
}

/** Updates a document only if there is something to change. Otherwise it needs no lock and no permission to write. */
async function updateIfNeeded(document: DocumentFile, change: DocumentChange): Promise<boolean> {
  return change(await document.read()) !== null && (await document.update(change));
}

/** @param use returns the file while the store is open, and throws afterwards */
function createWriter(
  use: () => DocumentFile,
  file: string,
): Methods<"upgrade" | "writeHeader" | "put" | "rewrite" | "reencrypt" | "writeAnchor" | "bulkInsert"> {
  return {
    async upgrade(header, expected, authenticate) {
      const isOld = (current: StoredDocument) => current.layout === 1 && current.header === expected;
      // First without the lock, because there is often nothing to do.
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
    async rewrite(change, header, { maxVersions = DEFAULT_MAX_VERSIONS } = {}) {
      await use().update((current) => {
        checkLayout(current);
        checkHeader(current.header, header);
        return rewriteSecret(current, change, maxVersions, file);
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

/** Creates the methods that also write to layout 1, without upgrading it. */
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
