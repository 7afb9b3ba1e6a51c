import { chmodSync, lstatSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MasterKey } from "@autokestra/secrets-core";
import { onTestFinished } from "vitest";
import { fingerprintOf } from "../../src/key-derivation.ts";

/** Keys to tell apart, as text. */
export const HEX: readonly [string, string, string] = [
  "0123456789abcdef".repeat(4),
  "a1b2c3d4".repeat(8),
  "0f1e2d3c4b5a6978".repeat(4),
];
/** The fingerprints of these. */
export const FINGERPRINT: string = fingerprintOf(Buffer.from(HEX[0], "hex"));
export const SECOND: string = fingerprintOf(Buffer.from(HEX[1], "hex"));
export const THIRD: string = fingerprintOf(Buffer.from(HEX[2], "hex"));

/** A new folder with mode 0700, removed after the test. */
export function temporaryFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "autokestra-keys-")));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A file with exactly this mode. @returns its path */
export function writeKey(path: string, content: string | Uint8Array = HEX[0], mode = 0o600): string {
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

/** What could show that something was written: names, files, modes and times of a folder. */
export function stateOf(folder: string): string[] {
  return [folder, ...readdirSync(folder).map((name) => join(folder, name))].map((path) => {
    const { ino, mode, mtimeMs, size } = lstatSync(path);
    return [path, ino, mode, mtimeMs, size].join(" ");
  });
}

/** The sources and fingerprints of keys, in order. */
export async function namesOf(keys: AsyncIterable<MasterKey>): Promise<string[]> {
  const names: string[] = [];
  for await (const key of keys) names.push(`${key.source} ${(await fingerprintOfKey(key)) ?? key.kind}`);
  return names;
}

export async function fingerprintOfKey(key: MasterKey | null): Promise<string | null> {
  const bytes = (await key?.bytes(null)) ?? null;
  return bytes === null ? null : fingerprintOf(bytes);
}
