import type { Database } from "./library.ts";

/** What `doctor` tells of a database. */
export interface SqliteFacts {
  /** Of SQLite, such as `3.53.2`. */
  readonly version: string;
  /** `wal`; `memory` where the file can only be read. */
  readonly journalMode: string;
  /** 2 is FULL. See https://sqlite.org/pragma.html#pragma_synchronous */
  readonly synchronous: number;
  readonly secureDelete: boolean;
  /** False where a look at every page, row and index finds damage. Takes as long as reading the whole file. */
  readonly isSound: boolean;
}

export function readSqliteFacts(database: Database): SqliteFacts {
  return {
    version: String(database.prepare("SELECT sqlite_version()").pluck().get()),
    journalMode: String(database.pragma("journal_mode", { simple: true })),
    synchronous: Number(database.pragma("synchronous", { simple: true })),
    secureDelete: database.pragma("secure_delete", { simple: true }) === 1,
    isSound: database.pragma("integrity_check(1)", { simple: true }) === "ok",
  };
}
