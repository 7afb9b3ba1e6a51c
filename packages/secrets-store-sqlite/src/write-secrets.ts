import {
  checkHeader,
  checkHistory,
  checkSealedSecret,
  checkWrite,
  type SealedSecret,
  type SecretMetadata,
  type SecretName,
  type SecretWrite,
  type Timestamp,
} from "@autokestra/secrets-core";
import { damagedIndex, type SecretReader } from "./read-secrets.ts";
import { toMetadata, toSealedRow } from "./sealed-row.ts";
import type { Statements } from "./statements.ts";

/**
 * Writes of one database, for whoever has its lock: what the docstrings of SecretStore promise, but synchronous, and all or
 * nothing as far as the transaction around it.
 */
export interface SecretWriter {
  writeHeader(header: string, expected: string | null): boolean;
  put(writes: readonly SecretWrite[], header: string | null, keepVersions: number): void;
  reseal(secrets: readonly SealedSecret[], header: string | null): void;
  delete(name: SecretName, deletedAt: Timestamp): boolean;
  restore(name: SecretName): boolean;
  purge(name: SecretName): boolean;
  purgeDeleted(before: Timestamp): number;
  load(history: readonly SealedSecret[]): void;
}

/**
 * @param path of the database, for messages
 */
export function createSecretWriter(statements: Statements, reader: SecretReader, path: string): SecretWriter {
  function storedMetadata(name: SecretName): SecretMetadata | null {
    const row = reader.find(name);
    return row === null ? null : toMetadata(row, path);
  }

  /** @returns false where the secret is not there, or is in the other state */
  function mark(name: SecretName, isDeleted: boolean, deletedAt: Timestamp | null): boolean {
    const row = reader.find(name);
    if (row === null) return false;
    const [, , stored] = row;
    if ((stored !== null) !== isDeleted) return false;
    statements.setDeleted.run(deletedAt, name);
    return true;
  }

  function purge(name: SecretName): boolean {
    if (reader.find(name) === null) return false;
    statements.purge.run(name);
    // By one index it is gone: by the other one, too?
    if (reader.find(name) !== null) throw damagedIndex(path);
    return true;
  }

  return {
    writeHeader(header, expected) {
      const { insertHeader, replaceHeader } = statements;
      const { changes } = expected === null ? insertHeader.run(header) : replaceHeader.run(header, expected);
      return changes === 1;
    },
    put(writes, header, keepVersions) {
      checkHeader(reader.header(), header);
      for (const write of writes) {
        const secret = checkWrite(write, storedMetadata);
        const { name } = secret.metadata;
        statements.retire.run(name);
        statements.insert.run(toSealedRow(secret));
        statements.trim.run(name, name, keepVersions);
      }
    },
    reseal(secrets, header) {
      checkHeader(reader.header(), header);
      for (const { metadata, envelope } of secrets.map(checkSealedSecret)) {
        const { id, name, version } = metadata;
        if (statements.reseal.run({ id, name, version, ...envelope }).changes === 1) continue;
        const [, , , foundVersion, foundId] = reader.find(name) ?? [];
        if (foundId === id && foundVersion === version) throw damagedIndex(path);
      }
    },
    delete: (name, deletedAt) => mark(name, false, deletedAt),
    restore: (name) => mark(name, true, null),
    purge,
    purgeDeleted(before) {
      const names = statements.deletedBefore.all(before);
      for (const name of names) purge(name);
      return names.length;
    },
    load(history) {
      const [newest, ...older] = checkHistory(history).toReversed();
      if (newest === undefined) return;
      checkWrite({ secret: newest, expectedVersion: null }, storedMetadata);
      for (const secret of older) statements.insert.run(toSealedRow(secret, false));
      statements.insert.run(toSealedRow(newest));
    },
  };
}
