import { loadSqlite } from "../../../packages/sqlite/dist/index.js";

const library = await loadSqlite();

/** Opens a database with the library that the stores of this process have, and creates it where there is none. @param {string} path */
export function openDatabase(path) {
  return library.open(path, { mode: "rwc", timeoutMs: 5000 });
}
