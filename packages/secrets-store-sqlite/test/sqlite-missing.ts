import { existsSync } from "node:fs";
import { isSqliteMissing } from "@autokestra/sqlite";
import { openSqliteStore } from "../src/index.ts";

/** Prints how opening a store fails, and whether it has left anything behind. */
const [folder = ""] = process.argv.slice(2);
const error: unknown = await openSqliteStore(`${folder}/secrets.db`).catch((reason: unknown) => reason);
const message = error instanceof Error ? error.message : "opened";
console.log(JSON.stringify({ missing: isSqliteMissing(error), message, touched: existsSync(folder) }));
