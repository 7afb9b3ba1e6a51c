import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createPrivateFile, replacePrivateFile, withOpenFile } from "@autokestra/private-files";
import { storeUnavailable } from "@autokestra/secrets-core";
import type { Backend } from "./store-backend.ts";
import { toStoreError } from "./to-store-error.ts";

/** What a folder of secrets remembers of its store. */
export interface BackendRecord {
  readonly backend: Backend;
  /** The file store was taken because SQLite could not be used. */
  readonly standsIn: boolean;
  /** The store that takes its place: whole already. */
  readonly next: Backend | null;
  /** The name that the old store's file then has: only once there is one, the next store counts. */
  readonly kept: string | null;
}

/** The first line of a record; a second one is the name that is kept. */
const FIRST_LINES: Readonly<Record<string, Omit<BackendRecord, "kept">>> = {
  sqlite: { backend: "sqlite", standsIn: false, next: null },
  file: { backend: "file", standsIn: false, next: null },
  "file instead of sqlite": { backend: "file", standsIn: true, next: null },
  "sqlite to file": { backend: "sqlite", standsIn: false, next: "file" },
  "file to sqlite": { backend: "file", standsIn: false, next: "sqlite" },
};

/** The record of a store that stays. */
export function recordOf(backend: Backend): BackendRecord {
  return { backend, standsIn: false, next: null, kept: null };
}

/** Beside the store, so that no second one is ever made. */
function recordPath(folder: string): string {
  return join(folder, "backend");
}

/**
 * Reads what the folder remembers; null where it remembers nothing.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE` where it cannot be read, or says what we do not know
 */
export function readBackendRecord(folder: string): BackendRecord | null {
  const path = recordPath(folder);
  const refuse = (problem: string) => storeUnavailable(folder, `${path} ${problem}`);
  const text = readText(path, folder, refuse);
  if (text === null) return null;
  const [first = "", kept = ""] = text.split("\n");
  const known = Object.hasOwn(FIRST_LINES, first) ? FIRST_LINES[first] : undefined;
  if (known === undefined)
    throw storeUnavailable(
      folder,
      `${path} does not name sqlite or file`,
      "Write `sqlite` or `file` into it: what the store there is.",
    );
  return { ...known, kept: kept === "" ? null : kept };
}

function readText(path: string, folder: string, refuse: (problem: string) => Error): string | null {
  try {
    return withOpenFile(path, refuse, (file) => (file === null ? null : readFileSync(file, "utf8")));
  } catch (error) {
    throw toStoreError(error, folder);
  }
}

/** Remembers the store of a folder that remembers none yet. What another process has written first counts. */
export function rememberBackend(folder: string, record: BackendRecord): void {
  createPrivateFile(recordPath(folder), format(record));
}

/**
 * Replaces what the folder remembers.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE` where somebody removes what is being written
 */
export function writeBackendRecord(folder: string, record: BackendRecord): void {
  if (replacePrivateFile(recordPath(folder), format(record), () => true)) return;
  throw storeUnavailable(folder, "another process has removed a draft of its record", "Try again.");
}

function format({ backend, standsIn, next, kept }: BackendRecord): string {
  const [line = backend] =
    Object.entries(FIRST_LINES).find(
      ([, known]) => known.backend === backend && known.standsIn === standsIn && known.next === next,
    ) ?? [];
  return kept === null ? `${line}\n` : `${line}\n${kept}\n`;
}
