import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { EncryptedSecret, SecretMetadata } from "@autokestra/secrets-core";
import { openDatabase } from "../../sqlite/test/open-database.ts";

/** One version as it lies in the file, with its bytes in base64. */
export interface StoredVersion {
  id: string;
  name: string;
  type: string;
  description: string | null;
  tags: string[];
  version: number;
  revision: number | null;
  createdAt: string;
  updatedAt: string;
  expiresAt: string | null;
  deletedAt: string | null;
  importedId: number | null;
  policy: string | null;
  mac: string | null;
  format: number;
  keyId: string;
  nonce: string;
  tag: string;
  ciphertext: string;
}

export interface StoredSecret {
  current: StoredVersion;
  /** The newest first. */
  older: StoredVersion[];
}

/** What lies in the file of a store. */
export interface StoredContent {
  header: string | null;
  secrets: StoredSecret[];
}

/** What of a version stands with the current one alone. */
const WHOLE = { revision: null, deletedAt: null, importedId: null, policy: null, mac: null };

const BYTES: readonly string[] = ["nonce", "tag", "ciphertext"];

/** Reads the file of a store without the library, in the order of ids. */
export function readStored(folder: string): StoredContent {
  const { header, secrets } = existsSync(join(folder, "secrets.db")) ? readDatabase(folder) : readJson(folder);
  return { header, secrets: secrets.toSorted((a, b) => (a.current.id < b.current.id ? -1 : 1)) };
}

/** Changes the file of a store from outside, without the library and without a key. */
export function editStored(folder: string, edit: (content: StoredContent) => void): void {
  const content = readStored(folder);
  edit(content);
  if (existsSync(join(folder, "secrets.db"))) writeDatabase(folder, content);
  else writeJson(folder, content);
}

/** Runs SQL on the database of a store. */
export function sql(folder: string, statements: string): void {
  const database = openDatabase(join(folder, "secrets.db"));
  database.exec(statements);
  database.close();
}

function readDatabase(folder: string): StoredContent {
  const database = openDatabase(join(folder, "secrets.db"), { mode: "ro" });
  const header = database.prepare<[], string>("SELECT text FROM store_header").pluck().get() ?? null;
  const rows = database.prepare<[], Record<string, unknown>>("SELECT * FROM secret_versions ORDER BY version DESC");
  const versions = rows.all().map((row) => ({ isCurrent: row["is_current"] === 1, version: fromRow(row) }));
  database.close();
  const secrets = versions
    .filter(({ isCurrent }) => isCurrent)
    .map(({ version: current }) => ({
      current,
      older: versions.flatMap(({ isCurrent, version }) => (!isCurrent && version.id === current.id ? version : [])),
    }));
  return { header, secrets };
}

function fromRow(row: Record<string, unknown>): StoredVersion {
  const { namespace: _namespace, is_current: _isCurrent, ...columns } = row;
  const fields = Object.entries(columns).map(([column, value]) => {
    const name = column.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase());
    return [name, value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value];
  });
  const version = Object.fromEntries(fields) as StoredVersion;
  return { ...version, tags: JSON.parse(String(columns["tags"])) };
}

function writeDatabase(folder: string, { header, secrets }: StoredContent): void {
  const database = openDatabase(join(folder, "secrets.db"));
  database.exec("BEGIN; DELETE FROM secret_versions; DELETE FROM store_header");
  if (header !== null) database.prepare("INSERT INTO store_header (id, text) VALUES (1, ?)").run(header);
  for (const { current, older } of secrets) {
    for (const one of [current, ...older]) {
      const row = toRow(one === current ? one : { ...one, ...WHOLE }, one === current);
      const columns = Object.keys(row);
      const values = columns.map((column) => `@${column}`);
      database.prepare(`INSERT INTO secret_versions (${columns.join(", ")}) VALUES (${values.join(", ")})`).run(row);
    }
  }
  database.exec("COMMIT");
  database.close();
}

function toRow(version: StoredVersion, isCurrent: boolean): Record<string, unknown> {
  const columns = Object.entries({ ...version, tags: JSON.stringify(version.tags) }).map(([name, value]) => {
    const column = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    return [column, BYTES.includes(name) ? Buffer.from(String(value), "base64") : value];
  });
  return { ...Object.fromEntries(columns), is_current: isCurrent ? 1 : 0 };
}

function readJson(folder: string): StoredContent {
  const { header, secrets } = JSON.parse(readFileSync(join(folder, "secrets.json"), "utf8"));
  return {
    header,
    secrets: secrets.map(({ older, ...entry }: { older: object[] }) => {
      const current = fromEntry(entry);
      const { id, name } = current;
      return { current, older: older.map((one) => ({ ...fromEntry({ ...WHOLE, ...one }), id, name })) };
    }),
  };
}

function fromEntry(entry: Readonly<Record<string, unknown>> & { envelope?: object }): StoredVersion {
  const { envelope, ...fields } = entry;
  return { ...fields, ...envelope } as unknown as StoredVersion;
}

function writeJson(folder: string, { header, secrets }: StoredContent): void {
  const path = join(folder, "secrets.json");
  const entries = secrets.map(({ current, older }) => ({
    ...toEntry(current),
    older: older.map((one) => {
      const { id: _id, name: _name, ...entry } = toEntry(one);
      return Object.fromEntries(Object.entries(entry).filter(([field]) => !Object.hasOwn(WHOLE, field)));
    }),
  }));
  const document = { ...JSON.parse(readFileSync(path, "utf8")), header, secrets: entries };
  writeFileSync(path, `${JSON.stringify(document, null, 2)}\n`);
}

function toEntry(version: StoredVersion): Omit<StoredVersion, "format" | "keyId" | "nonce" | "tag" | "ciphertext"> {
  const { format, keyId, nonce, tag, ciphertext, ...fields } = version;
  return Object.assign(fields, { envelope: { format, keyId, nonce, tag, ciphertext } });
}

/** A stored secret as a store in memory begins with it, the oldest version first. */
export function toEncrypted({ current, older }: StoredSecret): readonly EncryptedSecret[] {
  return [...older.toReversed(), current].map(({ mac, format, keyId, nonce, tag, ciphertext, ...metadata }) => ({
    metadata: { ...metadata, revision: metadata.revision ?? current.revision } as unknown as SecretMetadata,
    envelope: { format, keyId, nonce: bytes(nonce), ciphertext: bytes(ciphertext), tag: bytes(tag) },
    mac,
  }));
}

function bytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "base64"));
}
