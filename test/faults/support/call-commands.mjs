import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { backUpStore, openSecretsManager } from "../../../packages/secrets/dist/index.js";
import { environment } from "./sandbox.mjs";

/** Where a rotation to another file puts the new key. */
export const OTHER_KEY = "home/.autokestra/other";

/**
 * @typedef {object} MutatingCommand
 * @property {string} name
 * @property {(backend: string) => readonly string[]} args
 * @property {boolean} [first] In an empty folder.
 * @property {boolean} [short] In the short form too.
 * @property {boolean} [kill] Killed at every call, too.
 */

/** Every command that changes what is stored. @type {readonly MutatingCommand[]} */
export const MUTATING_COMMANDS = [
  { name: "first set", args: (backend) => ["secrets", "set", "A", "--storage-backend", backend], first: true },
  { name: "set new", args: () => ["secrets", "set", "NEW"] },
  { name: "set update", args: () => ["secrets", "set", "A"], short: true },
  { name: "delete", args: () => ["secrets", "delete", "A", "--force"] },
  { name: "purge", args: () => ["secrets", "delete", "A", "--purge", "--force"], short: true, kill: true },
  { name: "restore", args: () => ["secrets", "restore", "GONE"] },
  { name: "edit", args: () => ["secrets", "edit", "A", "--expires-at", "2100-01-01", "--description", "for tests"] },
  { name: "rename", args: () => ["secrets", "rename", "A", "B"], short: true, kill: true },
  { name: "rollback", args: () => ["secrets", "rollback", "A", "--to", "1"] },
  { name: "import", args: () => ["secrets", "import", "--from", "json", "--file", "import.json"] },
  { name: "rotate-key", args: () => ["secrets", "rotate-key"] },
  { name: "rotate-key, other file", args: () => ["secrets", "rotate-key", "--new-key-file", OTHER_KEY] },
  { name: "migrate", args: (backend) => ["secrets", "migrate", "--to", other(backend)], short: true, kill: true },
  { name: "backup", args: () => ["secrets", "backup", "copy"] },
  { name: "restore-backup", args: () => ["secrets", "restore-backup", "earlier"], short: true, kill: true },
];

/** @param {string} backend */
function other(backend) {
  return backend === "sqlite" ? "file" : "sqlite";
}

/** What a place has before the command. @param {string} folder @param {string} backend @param {boolean} empty */
export async function completeFolder(folder, backend, empty) {
  const place = { storagePath: join(folder, ".workflow/secrets"), env: environment(folder), backend };
  writeFileSync(
    join(folder, "import.json"),
    JSON.stringify({ ONE: "value one", TWO: "value two", THREE: "value three" }),
  );
  if (empty) return;
  const { secrets } = await openSecretsManager(place);
  /** @param {string} name @param {string} value */
  const set = async (name, value) => {
    await secrets.set({ name, type: "apiKey", fields: { value }, tags: ["tag"], description: "what it is for" });
  };
  await set("A", "value 1 of A");
  await set("A", "value 2 of A");
  await set("GONE", "value of GONE");
  await backUpStore(place, join(folder, "earlier"));
  await set("A", "value 3 of A");
  await set("LONG", "value ".repeat(3000));
  await secrets.delete("GONE");
  await secrets.close();
}
