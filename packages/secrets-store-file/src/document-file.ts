import { type BigIntStats, fstatSync, lstatSync, readFileSync } from "node:fs";
import {
  createPrivateFile,
  fileIdentity,
  keepBackup,
  preparePrivateFolder,
  replacePrivateFile,
  sweepTemporaryFiles,
  withOpenFile,
} from "@autokestra/private-files";
import type { AutokestraError } from "@autokestra/secrets-core";
import { storeUnavailable } from "@autokestra/secrets-core/internal";
import {
  EMPTY_DOCUMENT,
  formatDocument,
  parseDocument,
  type SecretsDocument,
  type StoredDocument,
} from "./document.ts";
import { attempt, withFileLock } from "./file-lock.ts";

/** How often an update starts again because its lock was lost. */
const ATTEMPTS = 10;

/** Makes one document of another. */
export type DocumentChange = (document: StoredDocument) => SecretsDocument | null;

/** A document on the disk. All methods throw AutokestraError with a `STORE_*` code. */
export interface DocumentFile {
  /** Makes the file with an empty document, and its folder, where there is none. */
  create(): Promise<void>;

  /** The document as it is now. Takes no lock: a file is replaced whole. */
  read(): Promise<StoredDocument>;

  /**
   * Replaces the document by what `change` makes of it, one update after the other over all processes. A file that gets another
   * layout is kept as a backup.
   *
   * @param change null leaves the document as it is; may throw; may be called again with a newer document
   * @returns false where `change` has returned null
   */
  update(change: DocumentChange): Promise<boolean>;

  /** Does `work` after all updates that were begun, and while no other process updates. There are no updates after it. */
  exclusively<T>(work: (isUnchanged: () => boolean) => Promise<T>): Promise<T>;

  /** Ends when all updates that were begun have ended. */
  close(): Promise<void>;
}

/** @param lockTimeoutMs how long an update waits for other processes */
export function createDocumentFile(path: string, lockTimeoutMs: number): DocumentFile {
  let last: Promise<unknown> = Promise.resolve();
  let wasSeen = false;
  let isGivenAway = false;
  /** To parse is most of the work of reading. */
  let cached: { readonly stamp: string; readonly document: StoredDocument } | null = null;

  const refuse = (problem: string, hint?: string) => storeUnavailable(path, problem, hint);

  /** A store that is not found is not an empty one: whoever has moved it has its secrets. */
  function notFound(): AutokestraError {
    return refuse(wasSeen ? "it was moved or removed while it was open" : "it was moved or removed");
  }

  function parse({ stamp, read }: FileView): StoredDocument {
    if (stamp !== null && stamp === cached?.stamp) return cached.document;
    const bytes = read();
    if (bytes === null) throw notFound();
    wasSeen = true;
    const document = parseDocument(bytes, path);
    cached = stamp === null ? null : { stamp, document };
    return document;
  }

  /** In one process updates wait here, in order, and not for the lock, which is taken by chance. */
  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (isGivenAway) throw refuse("it is being moved or replaced");
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return await turn;
  }

  function checkThere(): void {
    if (fileIdentity(path) === null) throw notFound();
  }

  /** The folder as it must be, and the lock. */
  async function locked<T>(work: () => Promise<T>): Promise<T> {
    await attempt(path, () => {
      checkThere();
      preparePrivateFolder(path, refuse);
    });
    return await withFileLock(path, lockTimeoutMs, async () => {
      // Whoever had the lock before may have moved it.
      await attempt(path, checkThere);
      return await work();
    });
  }

  function replace(view: FileView, change: DocumentChange): string {
    const document = parse(view);
    const next = change(document);
    if (next === null) return "unchanged";
    const before = next.layout === document.layout ? null : view.read();
    if (before !== null) keepBackup(path, document.layout, before);
    return replacePrivateFile(path, formatDocument(next), view.isCurrent) ? "replaced" : "overtaken";
  }

  return {
    async create() {
      await attempt(path, () => {
        if (fileIdentity(path) !== null) return;
        preparePrivateFolder(path, refuse);
        createPrivateFile(path, formatDocument(EMPTY_DOCUMENT));
        sweepTemporaryFiles(path);
      });
    },
    async read() {
      return await attempt(path, () => withFileView(path, parse));
    },
    async update(change) {
      return await inTurn(async () => {
        for (let attempts = 0; attempts < ATTEMPTS; attempts++) {
          const outcome = await locked(
            async () => await attempt(path, () => withFileView(path, (view) => replace(view, change))),
          );
          if (outcome !== "overtaken") return outcome === "replaced";
        }
        throw refuse("other processes do not respect its lock");
      });
    },
    async exclusively(work) {
      return await inTurn(
        async () =>
          await locked(async () => {
            isGivenAway = true;
            const before = stateOf(path);
            return await work(() => stateOf(path) === before);
          }),
      );
    },
    async close() {
      await last;
      cached = null;
    },
  };
}

/** Some file systems count the time of a change in steps of 2 seconds, and all in steps of some milliseconds. */
const TIME_STEP = 2000;

/** A file as it is at one moment. */
interface FileView {
  /** What it holds; null where there is no file. */
  readonly read: () => Uint8Array | null;
  /** As long as a file has the same stamp it holds the same. Null where there is no file, or where a stamp cannot tell yet. */
  readonly stamp: string | null;
  /** True while the path still leads to this very file, or still to none. */
  readonly isCurrent: () => boolean;
}

/**
 * Opens the file for `work`, following no link. It stays open until `work` is done: its inode is not used again before, and
 * so `isCurrent` cannot mistake a new file for the old one.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE` (a link, a folder, …), an error of the file system, or what `work` throws
 */
export function withFileView<T>(path: string, work: (view: FileView) => T): T {
  const refuse = (problem: string) => storeUnavailable(path, `it ${problem}`, "Give the path of the file itself.");
  return withOpenFile(path, refuse, (descriptor) => {
    const identity = descriptor === null ? null : fileIdentity(descriptor);
    let content: Uint8Array | null = null;
    return work({
      read: () => {
        // A descriptor gives what it holds only once.
        content ??= descriptor === null ? null : readFileSync(descriptor);
        return content;
      },
      stamp: descriptor === null ? null : stampOf(descriptor),
      isCurrent: () => fileIdentity(path) === identity,
    });
  });
}

/**
 * A file that is replaced gets another time of change even if it gets the same inode. One that is changed in place, twice
 * within a step of the clock, does not: until that step is over there is no stamp.
 */
function stampOf(descriptor: number): string | null {
  const stat = fstatSync(descriptor, { bigint: true });
  const isSettled = Number(stat.ctimeMs) + TIME_STEP < Date.now();
  return isSettled ? formatState(stat) : null;
}

/** The same for as long as nobody changes or replaces the file; null where there is none. */
function stateOf(path: string): string | null {
  const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? null : formatState(stat);
}

function formatState({ dev, ino, size, ctimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${size}:${ctimeNs}`;
}
