import { pathToFileURL } from "node:url";
import {
  type Database,
  isSafeVersion,
  type OpenOptions,
  type SqliteLibrary,
  type Statement,
  sqliteVersion,
} from "./database.ts";
import { resultCodeName } from "./result-codes.ts";

/** The used part of `node:sqlite`, which the types of the oldest supported Node do not have. */
interface NodeSqlite {
  readonly DatabaseSync: new (path: string, options?: DatabaseSyncOptions) => DatabaseSync;
}

interface DatabaseSyncOptions {
  readonly timeout?: number;
  /** Forbids SQL that could damage the file. */
  readonly defensive?: boolean;
}

interface DatabaseSync {
  readonly isTransaction: boolean;
  exec(sql: string): void;
  prepare(sql: string): StatementSync;
  serialize(): Uint8Array;
  deserialize(bytes: Uint8Array): void;
  close(): void;
}

interface StatementSync {
  setAllowUnknownNamedParameters(enabled: boolean): void;
  setReadBigInts(enabled: boolean): void;
  setReturnArrays(enabled: boolean): void;
  get(...parameters: unknown[]): unknown;
  all(...parameters: unknown[]): unknown[];
  iterate(...parameters: unknown[]): Iterable<unknown>;
  run(...parameters: unknown[]): { readonly changes: number };
}

/**
 * Loads the SQLite that is built into Node.js.
 *
 * @returns null for Node.js before 24.16, whose SQLite is too old or lacks functions
 */
export function loadNodeSqlite(): SqliteLibrary | null {
  const module = withoutWarning(importNodeSqlite);
  if (module === undefined || !("deserialize" in module.DatabaseSync.prototype)) return null;
  const { DatabaseSync } = module;
  const open = (place: string, timeout: number) =>
    adaptNodeSqlite(new DatabaseSync(place, { timeout, defensive: true }));
  const library: SqliteLibrary = {
    name: "node:sqlite",
    open: (path, { mode, timeoutMs = 0 }: OpenOptions) =>
      withNames(() => open(`${pathToFileURL(path).href}?mode=${mode}`, timeoutMs)),
    openInMemory: (bytes) =>
      withNames(() => {
        // Opened empty first, because the constructor would take the bytes for the name of a file.
        const database = new DatabaseSync(":memory:", { defensive: true });
        if (bytes !== undefined) database.deserialize(bytes);
        return adaptNodeSqlite(database);
      }),
  };
  return isSafe(library) ? library : null;
}

export function importNodeSqlite(): NodeSqlite | undefined {
  return process.getBuiltinModule?.("node:sqlite") as NodeSqlite | undefined;
}

/** Runs `work` without the warning of Node.js that `node:sqlite` is experimental, which would not help the user. */
function withoutWarning<T>(work: () => T): T {
  const emitWarning = process.emitWarning.bind(process);
  process.emitWarning = (warning: string | Error, ...rest: unknown[]) => {
    if (rest[0] === "ExperimentalWarning" && String(warning).startsWith("SQLite ")) return;
    Reflect.apply(emitWarning, process, [warning, ...rest]);
  };
  try {
    return work();
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** Asks the library itself, because a system can replace the SQLite that Node.js was compiled with. */
function isSafe(library: SqliteLibrary): boolean {
  const database = library.openInMemory();
  try {
    return isSafeVersion(sqliteVersion(database));
  } finally {
    database.close();
  }
}

/** Adapts a connection of `node:sqlite` to {@link Database}. */
export function adaptNodeSqlite(database: DatabaseSync): Database {
  let isOpen = true;

  function prepare(sql: string): StatementSync {
    return withNames(() => database.prepare(sql));
  }

  function within<T>(begin: string, work: () => T): T {
    const isNested = database.isTransaction;
    const [start, end, undo] = isNested
      ? ["SAVEPOINT nested", "RELEASE nested", "ROLLBACK TO nested; RELEASE nested"]
      : [begin, "COMMIT", "ROLLBACK"];
    withNames(() => database.exec(start));
    try {
      const result = work();
      withNames(() => database.exec(end));
      return result;
    } catch (error) {
      // After some errors, such as a full disk, SQLite itself has rolled back.
      if (database.isTransaction) database.exec(undo);
      throw error;
    }
  }

  return {
    library: "node:sqlite",
    exec: (sql) => withNames(() => database.exec(sql)),
    prepare: <Parameters extends unknown[], Row>(sql: string) => new NodeStatement<Parameters, Row>(prepare(sql)),
    pragma: (text) => new NodeStatement(prepare(`PRAGMA ${text}`)).pluck().get(),
    transaction: (work) => within("BEGIN", work),
    immediate: (work) => within("BEGIN IMMEDIATE", work),
    serialize: () => withNames(() => database.serialize()),
    close() {
      if (isOpen) database.close();
      isOpen = false;
    },
  };
}

class NodeStatement<Parameters extends unknown[], Row> implements Statement<Parameters, Row> {
  readonly #statement: StatementSync;
  #shape: "object" | "array" | "value" = "object";
  #readsBigInts = false;

  constructor(statement: StatementSync) {
    this.#statement = statement;
    statement.setAllowUnknownNamedParameters(true);
  }

  pluck(): this {
    return this.#as("value");
  }

  raw(): this {
    return this.#as("array");
  }

  get(...parameters: Parameters): Row | undefined {
    const row = this.#read(() => this.#statement.get(...toBindable(parameters)));
    return row === undefined ? undefined : this.#toRow(row);
  }

  all(...parameters: Parameters): Row[] {
    return this.#read(() => this.#statement.all(...toBindable(parameters))).map((row) => this.#toRow(row));
  }

  *iterate(...parameters: Parameters): Iterable<Row> {
    this.#readBigInts();
    try {
      for (const row of this.#statement.iterate(...toBindable(parameters))) yield this.#toRow(row);
    } catch (error) {
      throw named(error);
    }
  }

  run(...parameters: Parameters): { readonly changes: number } {
    return withNames(() => this.#statement.run(...toBindable(parameters)));
  }

  #as(shape: "array" | "value"): this {
    this.#shape = shape;
    this.#statement.setReturnArrays(true);
    return this;
  }

  /** Node.js refuses to return a number that is not exact. */
  #read<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (this.#readsBigInts || !(error instanceof RangeError)) throw named(error);
    }
    this.#readBigInts();
    return withNames(work);
  }

  #readBigInts(): void {
    this.#readsBigInts = true;
    this.#statement.setReadBigInts(true);
  }

  #toRow(row: unknown): Row {
    if (this.#shape === "object") return mapValues(row as object, toNumber) as Row;
    const values = this.#readsBigInts ? (row as unknown[]).map(toNumber) : (row as unknown[]);
    return (this.#shape === "value" ? values[0] : values) as Row;
  }
}

function toNumber(value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}

/** Converts parameters for Node.js: spreads an array, and replaces undefined by null. */
function toBindable(parameters: readonly unknown[]): readonly unknown[] {
  const [first] = parameters;
  if (Array.isArray(first)) return first.map(toValue);
  if (typeof first !== "object" || first === null || ArrayBuffer.isView(first)) return parameters.map(toValue);
  return [mapValues(first, toValue)];
}

function mapValues(object: object, map: (value: unknown) => unknown): object {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, map(value)]));
}

function toValue(value: unknown): unknown {
  return value ?? null;
}

function withNames<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw named(error);
  }
}

/** Sets the code of an error to the name of its result code, because Node.js has one code for all errors of SQLite. */
function named(error: unknown): unknown {
  if (!(error instanceof Error && "errcode" in error && typeof error.errcode === "number")) return error;
  return Object.assign(error, { code: resultCodeName(error.errcode) });
}
