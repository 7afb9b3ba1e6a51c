import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { EncryptedSecret } from "@autokestra/secrets-core";
import type { Version1Content } from "@autokestra/secrets-core/testing";
import { temporaryFolder } from "@autokestra/test-kit";

/** What version 1 has written: see the README beside it. */
export const VERSION_1_FILE: string = fileURLToPath(new URL("fixtures/v1/secrets.json", import.meta.url));

/** A store as version 1 has left it, in a folder of its own. Returns its path. */
export function version1Store(): string {
  const path = join(temporaryFolder(), "secrets.json");
  copyFileSync(VERSION_1_FILE, path);
  return path;
}

/** Makes a store of version 1 with this content. */
export function writeVersion1(path: string, { header, secrets }: Version1Content): void {
  const ids = [...new Set(secrets.map(({ metadata }) => metadata.id))];
  const entries = ids.map((id) => {
    const versions = secrets.filter(({ metadata }) => metadata.id === id);
    const [current, ...older] = versions.toReversed().map(formatVersion);
    return { ...current, older: older.map(({ id: _id, name: _name, deletedAt: _deletedAt, ...own }) => own) };
  });
  writeFileSync(path, JSON.stringify({ format: 1, header, secrets: entries }), { mode: 0o600 });
}

function formatVersion({ metadata, envelope }: EncryptedSecret) {
  const { id, name, type, description, tags, version, createdAt, updatedAt, expiresAt, deletedAt } = metadata;
  const { format, keyId, nonce, tag, ciphertext } = envelope;
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
  const sealed = { format, keyId, nonce: text(nonce), tag: text(tag), ciphertext: text(ciphertext) };
  const dates = { createdAt, updatedAt, expiresAt, deletedAt };
  return { id, name, type, description, tags, version, ...dates, envelope: sealed };
}
