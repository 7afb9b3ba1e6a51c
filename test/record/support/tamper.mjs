import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const Database = createRequire(resolve("packages/sqlite/package.json"))("better-sqlite3");

/** The file of a store. @param {string} folder @param {string} driver */
export function storeFile(folder, driver) {
  return join(folder, ".workflow", "secrets", driver === "sqlite" ? "secrets.db" : "secrets.json");
}

/** Changes a database by hand. @param {string} file @param {string} statements */
export function runSql(file, statements) {
  const database = new Database(file);
  database.exec(statements);
  database.close();
}

/** Changes a JSON file by hand. @param {string} file @param {(document: any) => void} change */
export function editJson(file, change) {
  const document = JSON.parse(readFileSync(file, "utf8"));
  change(document);
  writeFileSync(file, JSON.stringify(document), { mode: 0o600 });
}
