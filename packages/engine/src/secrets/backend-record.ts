import { readFileSync } from "node:fs";
import { join } from "node:path";
import { AutokestraError, storeUnavailable } from "@autokestra/secrets-core";
import { createPrivateFile, replacePrivateFile, systemReason, withOpenFile } from "@autokestra/secrets-files";
import { type Backend, parseBackend } from "./store-backend.ts";

/** What a folder of secrets remembers of its store. */
export interface BackendRecord {
  readonly backend: Backend;
  /** The store that takes its place: whole already, and the one that counts as soon as the other's file is gone. */
  readonly next: Backend | null;
  /** The file store was taken because SQLite could not be loaded. */
  readonly standsIn: boolean;
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
  try {
    const text = withOpenFile(path, refuse, (file) => (file === null ? null : readFileSync(file, "utf8")));
    return text === null ? null : parseRecord(text);
  } catch (error) {
    if (error instanceof AutokestraError && error.code === "STORE_UNAVAILABLE") throw error;
    if (systemReason(error) === "not a directory") return null;
    throw refuse(`cannot be read: ${systemReason(error) ?? "it does not name sqlite or file"}`);
  }
}

/** Remembers the backend of a folder that remembers none yet. What another process has written first counts. */
export function rememberBackend(folder: string, backend: Backend, standsIn: boolean): void {
  createPrivateFile(recordPath(folder), formatRecord({ backend, next: null, standsIn }));
}

/** Replaces what the folder remembers. To be called while no other process can write to its store. */
export function writeBackendRecord(folder: string, backend: Backend, next: Backend | null = null): void {
  replacePrivateFile(recordPath(folder), formatRecord({ backend, next, standsIn: false }), () => true);
}

const STANDS_IN = "file instead of sqlite";

function formatRecord({ backend, next, standsIn }: BackendRecord): string {
  if (standsIn) return `${STANDS_IN}\n`;
  return next === null ? `${backend}\n` : `${backend} to ${next}\n`;
}

function parseRecord(text: string): BackendRecord {
  if (text.trim() === STANDS_IN) return { backend: "file", next: null, standsIn: true };
  const [backend = "", next] = text.trim().split(" to ");
  return { backend: parseBackend(backend), next: next === undefined ? null : parseBackend(next), standsIn: false };
}
