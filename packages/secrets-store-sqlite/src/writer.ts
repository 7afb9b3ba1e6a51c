import type {
  Anchor,
  EncryptedSecret,
  ReencryptedSecret,
  SecretRewrite,
  SecretWrite,
  Timestamp,
} from "@autokestra/secrets-core";
import {
  checkAnchor,
  checkEncryptedSecret,
  checkHeader,
  checkRewrite,
  checkVersions,
  checkWrites,
  dataKeyInUse,
  isReencryptable,
  type StoredSecrets,
  secretExists,
} from "@autokestra/secrets-core/internal";
import { damagedIndex, type SecretReader } from "./reader.ts";
import { toRow } from "./rows.ts";
import type { Statements } from "./statements.ts";

/**
 * The synchronous writes of `SecretStore` in one database. The caller holds the lock, and the transaction that makes
 * them atomic.
 */
export interface SecretWriter {
  upgrade(header: string, expected: string | null, authenticate: (secret: EncryptedSecret) => string): boolean;
  writeHeader(header: string, expected: string | null, unusedKeys: readonly string[]): boolean;
  put(writes: readonly SecretWrite[], header: string | null, maxVersions: number): void;
  rewrite(change: SecretRewrite, header: string | null, maxVersions: number): void;
  reencrypt(secrets: readonly ReencryptedSecret[], header: string | null): void;
  delete(id: string, deletedAt: Timestamp): boolean;
  purge(id: string): boolean;
  purgeDeleted(before: Timestamp): number;
  writeAnchor(anchor: Anchor, expected: number | null): boolean;
  insert(versions: readonly EncryptedSecret[]): void;
}

/** The statements and the reader of one database in layout 2. */
interface Tools {
  readonly statements: Statements;
  readonly reader: SecretReader;
  /** The path of the database, for messages. */
  readonly path: string;
}

/**
 * Creates the writer of a database in layout 2.
 *
 * @param path the path of the database, for messages
 */
export function createSecretWriter(statements: Statements, reader: SecretReader, path: string): SecretWriter {
  const tools = { statements, reader, path };
  return { upgrade: () => false, ...createAdditions(tools), ...createChanges(tools), ...createRemovals(tools) };
}

function createAdditions({
  statements,
  reader,
}: Tools): Pick<SecretWriter, "writeHeader" | "put" | "writeAnchor" | "insert"> {
  const stored: StoredSecrets = { living: (name) => reader.living(name), has: (id) => reader.row(id) !== null };

  return {
    writeHeader(header, expected, unusedKeys) {
      const { insertHeader, replaceHeader, usedKeys } = statements;
      if (reader.header() !== expected) return false;
      const inUse = unusedKeys.length === 0 ? [] : usedKeys.all(JSON.stringify(unusedKeys));
      if (inUse.length > 0) throw dataKeyInUse(inUse);
      const { changes } = expected === null ? insertHeader.run(header) : replaceHeader.run(header, expected);
      return changes === 1;
    },
    put(writes, header, maxVersions) {
      checkHeader(reader.header(), header);
      for (const { secret, isNew } of checkWrites(writes, stored)) {
        if (isNew) statements.insert.run(...toRow(secret, true));
        else addVersion(statements, secret, maxVersions);
      }
    },
    writeAnchor({ name, counter, text, mac }, expected) {
      const anchor = { name, counter, text, mac };
      checkAnchor(anchor, expected);
      const { insertAnchor, replaceAnchor } = statements;
      const { changes } = expected === null ? insertAnchor.run(anchor) : replaceAnchor.run({ ...anchor, expected });
      return changes === 1;
    },
    insert(versions) {
      const checked = checkVersions(versions);
      const [current] = checked;
      if (current === undefined) return;
      const { id, name, deletedAt } = current.metadata;
      if (stored.has(id)) throw secretExists(name, `as one with id ${id}`);
      const living = deletedAt === null ? reader.living(name) : null;
      if (living !== null) throw secretExists(name, `with version ${living.version}`);
      for (const secret of checked) statements.insert.run(...toRow(secret, secret === current));
    },
  };
}

/** Adds a version to a secret, and removes the oldest ones beyond the maximum. */
function addVersion(statements: Statements, secret: EncryptedSecret, maxVersions: number): void {
  const { id } = secret.metadata;
  statements.retire.run(id);
  statements.insert.run(...toRow(secret, true));
  statements.trim.run(id, id, maxVersions);
}

function createChanges({ statements, reader, path }: Tools): Pick<SecretWriter, "rewrite" | "reencrypt"> {
  function reencrypt({ secret, nonce }: ReencryptedSecret): void {
    const { metadata, envelope, mac } = checkEncryptedSecret(secret);
    const { id, version, revision } = metadata;
    const { changes } = statements.reencrypt.run({ id, version, revision, mac, nonceBefore: nonce, ...envelope });
    if (changes === 1) return;
    const current = reader.find(id);
    if (current !== null && isReencryptable(current, current, { secret, nonce })) throw damagedIndex(path);
  }

  return {
    rewrite(change, header, maxVersions) {
      checkHeader(reader.header(), header);
      const versionsOf = (id: string) => reader.versions(id);
      const { versions, next } = checkRewrite(change, versionsOf, (name) => reader.living(name)?.id ?? null);
      for (const { metadata } of versions) {
        if (statements.remove.run(metadata.id, metadata.version).changes !== 1) throw damagedIndex(path);
      }
      for (const [index, secret] of versions.entries()) statements.insert.run(...toRow(secret, index === 0));
      if (next !== null) addVersion(statements, next, maxVersions);
    },
    reencrypt(secrets, header) {
      checkHeader(reader.header(), header);
      for (const secret of secrets) reencrypt(secret);
    },
  };
}

function createRemovals({ statements, reader, path }: Tools): Pick<SecretWriter, "delete" | "purge" | "purgeDeleted"> {
  function purge(id: string): boolean {
    const { changes } = statements.purge.run(id);
    // One index no longer has it. If the other one does, an index is damaged.
    const isLeft = statements.hasCurrent.get(id) !== undefined || statements.hasVersion.get(id) !== undefined;
    if (isLeft) throw damagedIndex(path);
    return changes > 0;
  }

  return {
    delete(id, deletedAt) {
      const [, , , deleted] = reader.row(id) ?? [null, null, null, deletedAt];
      if (deleted !== null) return false;
      statements.setDeleted.run(deletedAt, id);
      return true;
    },
    purge,
    purgeDeleted(before) {
      const ids = statements.deletedBefore.all(before);
      for (const id of ids) purge(id);
      return ids.length;
    },
  };
}
