// Measures a read by key with each SQLite library, behind our interface. Run `pnpm build` first.
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSecretReader } from "../packages/secrets-store-sqlite/dist/reader.js";
import { prepareStatements } from "../packages/secrets-store-sqlite/dist/statements.js";
import { loadBetterSqlite } from "../packages/sqlite/dist/better-sqlite3.js";
import { loadNodeSqlite } from "../packages/sqlite/dist/node-sqlite.js";
import { measure } from "./measure.mjs";
import { printTable } from "./print-table.mjs";
import { nameOf, openSecretsManager } from "./stores/installation.mjs";

const SIZE = 10_000;

/** @import { SqliteLibrary } from "../packages/sqlite/dist/index.js" */

/** Each on a file of its own: two libraries on one file would lose each other's locks. @param {string} from @param {SqliteLibrary} library */
function openReader(from, library) {
  const path = `${from}.${library.name.replace(":", "-")}`;
  copyFileSync(from, path);
  const database = library.open(path, { mode: "rw" });
  const statements = prepareStatements(database);
  const reader = createSecretReader(database, statements, path);
  let at = 0;
  const next = () => {
    at = (at + 6180) % SIZE;
    return nameOf(at);
  };
  return { row: () => statements.living.get(next()), secret: () => reader.get(next()), close: () => database.close() };
}

const folder = mkdtempSync(join(tmpdir(), "autokestra-bench-"));
try {
  const path = join(folder, "secrets.db");
  const { store } = await openSecretsManager(path, SIZE);
  await store.close();
  const libraries = [await loadBetterSqlite().catch(() => null), loadNodeSqlite()].filter(
    (library) => library !== null,
  );
  const readers = libraries.map((library) => ({ name: library.name, ...openReader(path, library) }));
  const times = await measure(
    Object.fromEntries(
      readers.flatMap(({ name, row, secret }) => [
        [`${name} row`, row],
        [`${name} secret`, secret],
      ]),
    ),
  );
  for (const { close } of readers) close();
  const ratio = (/** @type {string} */ what) =>
    readers.length < 2 ? "" : ((times[`node:sqlite ${what}`] ?? 0) / (times[`better-sqlite3 ${what}`] ?? 0)).toFixed(2);
  printTable(`Read one of ${SIZE} secrets by name: µs CPU, Node ${process.versions.node}`, [
    ["", ...readers.map(({ name }) => name), "ratio"],
    ...["row", "secret"].map((what) => [
      what,
      ...readers.map(({ name }) => (times[`${name} ${what}`] ?? 0).toFixed(2)),
      ratio(what),
    ]),
  ]);
} finally {
  rmSync(folder, { recursive: true });
}
