import { storeUnavailable } from "@autokestra/secrets-core";
import { preparePrivateFolder, replacePrivateFile } from "@autokestra/secrets-files";
import { withFileLock } from "./file-lock.ts";
import { type FileView, withFileView } from "./file-view.ts";
import { EMPTY_DOCUMENT, formatDocument, parseDocument, type SecretsDocument } from "./secrets-document.ts";
import { toStoreError } from "./store-error.ts";

/** How often an update starts again because its lock was lost. */
const ATTEMPTS = 10;

/** A document on the disk. All methods throw AutokestraError with a `STORE_*` code. */
export interface DocumentFile {
  /** The document as it is now; an empty one where there is no file. Takes no lock: a file is replaced whole. */
  read(): Promise<SecretsDocument>;

  /**
   * Replaces the document by what `change` makes of it, one update after the other over all processes.
   *
   * @param change null leaves the document as it is; may throw; may be called again with a newer document
   * @returns false where `change` has returned null
   */
  update(change: (document: SecretsDocument) => SecretsDocument | null): Promise<boolean>;

  /** When all updates that were begun have ended. */
  settled(): Promise<void>;
}

/** @param lockTimeoutMs how long an update waits for other processes */
export function createDocumentFile(path: string, lockTimeoutMs: number): DocumentFile {
  let last: Promise<unknown> = Promise.resolve();

  function parse({ bytes }: FileView): SecretsDocument {
    return bytes === null ? EMPTY_DOCUMENT : parseDocument(bytes, path);
  }

  async function attempt<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw toStoreError(error, path);
    }
  }

  /** In one process updates wait here, in order, and not for the lock, which is taken by chance. */
  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return await turn;
  }

  async function updateLocked(change: (document: SecretsDocument) => SecretsDocument | null): Promise<boolean> {
    for (let attempts = 0; attempts < ATTEMPTS; attempts++) {
      preparePrivateFolder(path, (problem, hint) => storeUnavailable(path, problem, hint));
      const outcome = await withFileLock(path, lockTimeoutMs, async () => {
        return withFileView(path, (view) => {
          const next = change(parse(view));
          if (next === null) return "unchanged";
          return replacePrivateFile(path, formatDocument(next), view.isCurrent) ? "replaced" : "overtaken";
        });
      });
      if (outcome !== "overtaken") return outcome === "replaced";
    }
    throw storeUnavailable(path, "other processes do not respect its lock");
  }

  return {
    async read() {
      return await attempt(async () => withFileView(path, parse));
    },
    async update(change) {
      return await inTurn(async () => await attempt(async () => await updateLocked(change)));
    },
    async settled() {
      await last;
    },
  };
}
