import { openDatabase } from "./open-database.ts";

/** Locks a run history for readers, too, says "locked", and keeps it so until it is killed. */
const [, , path = ""] = process.argv;
const database = openDatabase(path);
database.pragma("locking_mode = EXCLUSIVE");
database.exec("BEGIN EXCLUSIVE; UPDATE run_records SET workflow = workflow; COMMIT");
setInterval(() => database.pragma("user_version"), 60_000);
console.log("locked");
