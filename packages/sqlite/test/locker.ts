import { openDatabase } from "./open-database.ts";

/** Locks a run history for readers, too, says "locked", and lets it go after so many milliseconds. */
const [path = "", milliseconds = ""] = process.argv.slice(2);
const database = openDatabase(path);
database.pragma("locking_mode = EXCLUSIVE");
database.exec("BEGIN EXCLUSIVE; UPDATE run_records SET workflow = workflow; COMMIT");
setTimeout(() => database.close(), Number(milliseconds));
console.log("locked");
