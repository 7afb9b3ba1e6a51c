import { run } from "@autokestra/test-kit";
import * as sqlite from "../../sqlite/test/child.ts";

/**
 * Compiles a file of test/ for a process of its own.
 *
 * @param better the better-sqlite3 that it imports. Default: such that it has the SQLite library of this process
 */
export async function bundle(name: string, better?: string): Promise<string> {
  return await sqlite.bundle(new URL(name, import.meta.url), better);
}

/** Runs a file of test/ where there is no SQLite. */
export async function runWithoutSqlite(name: string, ...args: string[]): Promise<string> {
  const script = await sqlite.bundle(new URL(name, import.meta.url), sqlite.NOWHERE);
  const [file = script, ...more] = [...sqlite.WITHOUT_BUILT_IN, script, ...args];
  return await run(file, more);
}
