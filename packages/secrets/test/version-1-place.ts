import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openDatabase } from "../../sqlite/test/open-database.ts";
import type { Place } from "./attacked-place.ts";

export const FILES = { sqlite: "secrets.db", file: "secrets.json" } as const;
export type Kind = keyof typeof FILES;
export const KINDS: readonly Kind[] = ["sqlite", "file"];

/** The master key of the store fixtures: 32 bytes that count up. */
export const KEY: string = Buffer.from(Array.from({ length: 32 }, (_, index) => index)).toString("hex");

const packages = fileURLToPath(new URL("../..", import.meta.url));

/** What version 1 has left, by the names in the READMEs: `store` is in the packages of the stores, the others are here. */
export function fixture(kind: Kind, name: "store" | "passphrase" | "rotated" | "before-rotation"): string {
  if (name === "store") return join(packages, `secrets-store-${kind}`, "test", "fixtures", "v1", FILES[kind]);
  return join(packages, "secrets", "test", "fixtures", "v1", `${name}.${kind === "sqlite" ? "db" : "json"}`);
}

/** The text of a key file of the rotated store: the key, or the one before. */
export function fixtureKey(kind: Kind, which: "now" | "before"): string {
  const old = { sqlite: "70d4902f", file: "a33ff42d" }[kind];
  const name = which === "now" ? "secret.key" : `secret.key.${old}.old`;
  return readFileSync(join(packages, "secrets", "test", "fixtures", "v1", `keys-${kind}`, name), "utf8");
}

/** Puts a fixture into a folder, as version 1 has left it there, and private as it was. */
export function putStore(folder: string, kind: Kind, name: Parameters<typeof fixture>[1] = "store"): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, FILES[kind]);
  copyFileSync(fixture(kind, name), path);
  deleteNow(path, kind);
  return path;
}

/** What is deleted was deleted just now: it can be restored, whenever the tests run. */
function deleteNow(path: string, kind: Kind): void {
  const now = new Date().toISOString();
  if (kind === "sqlite") {
    runSql(path, `UPDATE secrets SET deleted_at = '${now}' WHERE deleted_at IS NOT NULL; PRAGMA journal_mode = WAL`);
  } else {
    const text = readFileSync(path, "utf8").replaceAll(/"deletedAt": "[^"]*"/g, `"deletedAt": "${now}"`);
    writeFileSync(path, text, { mode: 0o600 });
  }
}

/** Puts a key into the key folder. */
export function putKey({ keyFolder }: Place, name: string, text: string = KEY): string {
  mkdirSync(keyFolder, { recursive: true, mode: 0o700 });
  const path = join(keyFolder, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

export function runSql(path: string, statements: string): void {
  const database = openDatabase(path);
  database.exec(statements);
  database.close();
}

/** How the file says it is laid out. */
export function layoutOf(folder: string): number {
  const path = join(folder, FILES.sqlite);
  if (!existsSync(path)) return JSON.parse(readFileSync(join(folder, FILES.file), "utf8")).format;
  const database = openDatabase(path, { mode: "ro" });
  const layout = Number(database.pragma("user_version"));
  database.close();
  return layout;
}
