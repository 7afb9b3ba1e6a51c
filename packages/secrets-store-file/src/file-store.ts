import { resolve } from "node:path";
import {
  byName,
  checkHeader,
  checkWrite,
  passesFilter,
  type SecretMetadata,
  type SecretStore,
  secretCorrupt,
  storeClosed,
} from "@autokestra/secrets-core";
import { createDocumentFile, type DocumentFile } from "./document-file.ts";
import { formatEntry, parseEntry, parseEntryMetadata } from "./secret-entry.ts";

export interface FileStoreOptions {
  /** How long to wait for other processes, in milliseconds; 5000 unless told. */
  readonly lockTimeoutMs?: number | undefined;
}

/**
 * Opens a store of sealed secrets in one JSON file. Opening and reading make nothing; the first write makes the file with
 * mode 0600 and its folder with 0700, also under umask 000. Looser modes are tightened before a write. Any number of processes
 * may use it at once: readers never wait, writers wait for each other.
 *
 * @param path the file; a symbolic link is refused
 * @throws AutokestraError `STORE_UNAVAILABLE`, `STORE_CORRUPT`, `STORE_TOO_NEW`
 */
export async function openFileStore(path: string, options: FileStoreOptions = {}): Promise<SecretStore> {
  const { lockTimeoutMs = 5000 } = options;
  const file = resolve(path);
  const document = createDocumentFile(file, lockTimeoutMs);
  // What cannot be read is said now, not at the first secret.
  await document.read();
  return createStore(document, file);
}

function createStore(document: DocumentFile, file: string): SecretStore {
  let open = true;

  function use(): DocumentFile {
    if (!open) throw storeClosed();
    return document;
  }

  function readable<T>(parsed: T | null, name: string): T {
    if (parsed === null) throw secretCorrupt(file, name);
    return parsed;
  }

  function metadataOf(entries: ReadonlyMap<string, unknown>, name: string): SecretMetadata | null {
    return entries.has(name) ? readable(parseEntryMetadata(entries.get(name)), name) : null;
  }

  return {
    backend: "file",
    async readHeader() {
      return (await use().read()).header;
    },
    async writeHeader(next, expected) {
      return await use().update(({ header, entries }) => (header === expected ? { header: next, entries } : null));
    },
    async get(name) {
      const { entries } = await use().read();
      return entries.has(name) ? readable(parseEntry(entries.get(name)), name) : null;
    },
    async list(filter) {
      const { entries } = await use().read();
      const all = [...entries].map(([name, entry]) => readable(parseEntryMetadata(entry), name));
      return all.filter((metadata) => passesFilter(metadata, filter)).sort(byName);
    },
    async put(writes, expectedHeader) {
      await use().update(({ header, entries }) => {
        checkHeader(header, expectedHeader);
        const checked = writes.map((write) => checkWrite(write, (name) => metadataOf(entries, name)));
        const changed = checked.map((secret) => [secret.metadata.name, formatEntry(secret)] as const);
        return { header, entries: new Map([...entries, ...changed]) };
      });
    },
    async delete(name) {
      // Without the lock, which would make a folder: there may be no store yet.
      if (!(await use().read()).entries.has(name)) return false;
      return await use().update(({ header, entries }) => {
        const rest = new Map(entries);
        return rest.delete(name) ? { header, entries: rest } : null;
      });
    },
    async close() {
      open = false;
      await document.settled();
    },
  };
}
