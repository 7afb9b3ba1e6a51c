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

/** The maximum number of attempts of an update that loses its lock. */
const ATTEMPTS = 10;

/** Returns a changed document, or null to leave it as it is. */
export type DocumentChange = (document: StoredDocument) => SecretsDocument | null;

/** A document on the disk. All methods throw AutokestraError with a `STORE_*` code. */
export class DocumentFile {
  readonly #path: string;
  readonly #lockTimeoutMs: number;
  #last: Promise<unknown> = Promise.resolve();
  #wasSeen = false;
  #isGivenAway = false;
  /** Parsing is most of the work of reading. */
  #cached: ParsedFile | null = null;

  /** @param lockTimeoutMs how long an update waits for other processes, in milliseconds */
  constructor(path: string, lockTimeoutMs: number) {
    this.#path = path;
    this.#lockTimeoutMs = lockTimeoutMs;
  }

  /** Creates the file with an empty document, and its folder, if they do not exist. */
  async create(): Promise<void> {
    await attempt(this.#path, () => {
      if (fileIdentity(this.#path) !== null) return;
      preparePrivateFolder(this.#path, this.#refuse);
      createPrivateFile(this.#path, formatDocument(EMPTY_DOCUMENT));
      sweepTemporaryFiles(this.#path);
    });
  }

  /** Reads the document. Needs no lock, because the file is always replaced as a whole. */
  async read(): Promise<StoredDocument> {
    return await attempt(this.#path, () => withFileView(this.#path, this.#parse));
  }

  /**
   * Replaces the document, one update after the other over all processes. Keeps the old file as a backup if its layout
   * changes.
   *
   * @param change returns the new document. It may throw, and it may be called again with a newer document
   * @returns false if `change` has returned null
   */
  async update(change: DocumentChange): Promise<boolean> {
    return await this.#inTurn(async () => {
      for (let attempts = 0; attempts < ATTEMPTS; attempts++) {
        const outcome = await this.#locked(
          async () => await attempt(this.#path, () => withFileView(this.#path, (view) => this.#replace(view, change))),
        );
        if (outcome !== "overtaken") return outcome === "replaced";
      }
      throw this.#refuse("other processes do not respect its lock");
    });
  }

  /** Runs `work` after all pending updates, and while no other process updates. No update is possible afterwards. */
  async exclusively<T>(work: (isUnchanged: () => boolean) => Promise<T>): Promise<T> {
    return await this.#inTurn(
      async () =>
        await this.#locked(async () => {
          this.#isGivenAway = true;
          const before = stateOf(this.#path);
          return await work(() => stateOf(this.#path) === before);
        }),
    );
  }

  /** Waits for all pending updates. */
  async close(): Promise<void> {
    await this.#last;
    this.#cached = null;
  }

  /** Runs the updates of this process in order, because the lock does not keep an order. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isGivenAway) throw this.#refuse("it is being moved or replaced");
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return await turn;
  }

  /** Runs `work` in a private folder and with the lock. */
  async #locked<T>(work: () => Promise<T>): Promise<T> {
    await attempt(this.#path, () => {
      this.#checkThere();
      preparePrivateFolder(this.#path, this.#refuse);
    });
    return await withFileLock(this.#path, this.#lockTimeoutMs, async () => {
      // The process that had the lock before may have moved the file.
      await attempt(this.#path, () => this.#checkThere());
      return await work();
    });
  }

  #replace(view: FileView, change: DocumentChange): "unchanged" | "replaced" | "overtaken" {
    const document = this.#parse(view);
    const next = change(document);
    if (next === null) return "unchanged";
    const before = next.layout === document.layout ? null : view.read();
    if (before !== null) keepBackup(this.#path, document.layout, before);
    return replacePrivateFile(this.#path, formatDocument(next), view.isCurrent) ? "replaced" : "overtaken";
  }

  /** A field and not a method, because it is passed on with every read. */
  readonly #parse = ({ stamp, read }: FileView): StoredDocument => {
    const cached = this.#cached;
    if (stamp !== null && stamp === cached?.stamp) return cached.document;
    const bytes = read();
    if (bytes === null) throw this.#notFound();
    this.#wasSeen = true;
    // Comparing is much faster than parsing, and a rotation reads many records right after each write.
    const document =
      cached !== null && isSame(cached.bytes, bytes) ? cached.document : parseDocument(bytes, this.#path);
    this.#cached = { stamp, bytes, document };
    return document;
  };

  #checkThere(): void {
    if (fileIdentity(this.#path) === null) throw this.#notFound();
  }

  /** A store that was moved or removed must not become an empty one. */
  #notFound(): AutokestraError {
    return this.#refuse(this.#wasSeen ? "it was moved or removed while it was open" : "it was moved or removed");
  }

  readonly #refuse = (problem: string, hint?: string): AutokestraError => storeUnavailable(this.#path, problem, hint);
}

interface ParsedFile {
  readonly stamp: string | null;
  readonly bytes: Uint8Array;
  readonly document: StoredDocument;
}

function isSame(some: Uint8Array, others: Uint8Array): boolean {
  return Buffer.compare(some, others) === 0;
}

/** The coarsest resolution of the time of a change in a file system, in milliseconds. */
const TIME_STEP = 2000;

/** A file at one moment. */
interface FileView {
  /** Returns its content; null if there is no file. */
  readonly read: () => Uint8Array | null;
  /**
   * Two views with the same stamp have the same content. Null if there is no file, or if it has changed too recently.
   */
  readonly stamp: string | null;
  /** Returns true while the path still leads to the same file, or still to none. */
  readonly isCurrent: () => boolean;
}

/**
 * Opens the file for `work`, without following a link. It stays open until `work` has ended, so that its inode is not
 * used again and `isCurrent` cannot mistake a new file for the old one.
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
        // A descriptor can be read only once.
        content ??= descriptor === null ? null : readFileSync(descriptor);
        return content;
      },
      stamp: descriptor === null ? null : stampOf(descriptor),
      isCurrent: () => fileIdentity(path) === identity,
    });
  });
}

/**
 * Returns the stamp of a file; null if it has changed within the last step of the clock, because it could change again
 * without getting another time.
 */
function stampOf(descriptor: number): string | null {
  const stat = fstatSync(descriptor, { bigint: true });
  const isSettled = Number(stat.ctimeMs) + TIME_STEP < Date.now();
  return isSettled ? formatState(stat) : null;
}

/** Returns a text that changes when the file is changed or replaced; null if there is no file. */
function stateOf(path: string): string | null {
  const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? null : formatState(stat);
}

function formatState({ dev, ino, size, ctimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${size}:${ctimeNs}`;
}
