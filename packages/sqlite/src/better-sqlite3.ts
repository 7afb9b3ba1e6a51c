import type BetterSqlite from "better-sqlite3";
import type { Database, OpenOptions, SqliteLibrary } from "./database.ts";

/**
 * Loads better-sqlite3 with its native part.
 *
 * @throws an error of Node or of `bindings` if it is not installed or does not run here
 */
export async function loadBetterSqlite(): Promise<SqliteLibrary> {
  const { default: Library } = await import("better-sqlite3");
  // Opens a connection, because only that loads the native part.
  new Library(":memory:").close();
  return {
    name: "better-sqlite3",
    open(path, { mode, timeoutMs = 0 }: OpenOptions) {
      return adaptBetterSqlite(
        new Library(path, { readonly: mode === "ro", fileMustExist: mode !== "rwc", timeout: timeoutMs }),
      );
    },
    openInMemory: (bytes) => adaptBetterSqlite(new Library(bytes === undefined ? ":memory:" : toBuffer(bytes))),
  };
}

/** Adapts a connection of better-sqlite3 to {@link Database}. */
export function adaptBetterSqlite(database: BetterSqlite.Database): Database {
  const transaction = database.transaction((work: () => unknown) => work());
  return {
    library: "better-sqlite3",
    exec: (sql) => void database.exec(sql),
    prepare: (sql) => database.prepare(sql),
    pragma: (text) => database.pragma(text, { simple: true }),
    transaction: <T>(work: () => T) => transaction(work) as T,
    immediate: <T>(work: () => T) => transaction.immediate(work) as T,
    serialize: () => database.serialize(),
    close: () => void database.close(),
  };
}

function toBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
