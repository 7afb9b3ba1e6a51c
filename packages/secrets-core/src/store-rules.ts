import { AutokestraError } from "./errors.ts";
import { checkEncryptedSecret } from "./metadata.ts";
import type { EncryptedSecret, SecretMetadata } from "./secret.ts";
import type { SecretName } from "./secret-name.ts";
import type { Anchor, ReencryptedSecret, SecretFilter, SecretRewrite, SecretWrite } from "./secret-store.ts";
import { isBefore } from "./time.ts";

/** The state of a stored secret. */
export type StoredState = Pick<SecretMetadata, "id" | "version" | "revision">;

/** What the rules for writing need to know about a store. */
export interface StoredSecrets {
  /** Returns the secret of this name that is not deleted; null if not found. */
  readonly living: (name: SecretName) => StoredState | null;
  /** Tells whether a secret has this id, deleted or not. */
  readonly has: (id: string) => boolean;
}

/** A write that is allowed. */
export interface CheckedWrite {
  readonly secret: EncryptedSecret;
  /** True for a new secret, false for the next version of one. */
  readonly isNew: boolean;
}

/** A change in place that is allowed. */
export interface CheckedRewrite {
  /** What replaces the versions with these numbers, the current one first. */
  readonly versions: readonly EncryptedSecret[];
  /** The version that follows them; null if none does. */
  readonly next: EncryptedSecret | null;
}

/** Tells whether a secret passes the filter, ignoring `limit`. For stores that filter in memory. */
export function passesFilter(metadata: SecretMetadata, filter: SecretFilter = {}): boolean {
  const { type, tags = [], name, prefix = "", id, importedId, anyPrefix, anyTag } = filter;
  const { expiresBefore, state = "active", retentionStart } = filter;
  return (
    (type === undefined || metadata.type === type) &&
    tags.every((tag) => metadata.tags.includes(tag)) &&
    (name === undefined || metadata.name === name) &&
    metadata.name.startsWith(prefix) &&
    (id === undefined || metadata.id === id) &&
    (importedId === undefined || metadata.importedId === importedId) &&
    (anyPrefix === undefined || anyPrefix.some((one) => metadata.name.startsWith(one))) &&
    (anyTag === undefined || anyTag.some((tag) => metadata.tags.includes(tag))) &&
    (expiresBefore === undefined || isBefore(metadata.expiresAt, expiresBefore)) &&
    (state === "all" || (metadata.deletedAt !== null) === (state === "deleted")) &&
    (retentionStart === undefined || !isBefore(metadata.deletedAt, retentionStart)) &&
    isOnPage(metadata, filter)
  );
}

function isOnPage({ name, id }: SecretMetadata, { after, afterId }: SecretFilter): boolean {
  if (after === undefined || name > after) return true;
  return name === after && afterId !== undefined && id > afterId;
}

/** Returns what `list` returns. For stores that filter in memory. */
export function selectSecrets(all: readonly SecretMetadata[], filter: SecretFilter = {}): readonly SecretMetadata[] {
  const passing = all.filter((metadata) => passesFilter(metadata, filter)).sort(compareSecrets);
  const { skip = 0, limit = passing.length } = filter;
  return passing.slice(skip, skip + limit);
}

/** The same filter for all pages of its list. */
export function onAllPages(filter: SecretFilter = {}): SecretFilter {
  return { ...filter, after: undefined, afterId: undefined, skip: undefined, limit: undefined };
}

/** Compares by name, then by id, both by UTF-16 code unit: the order of `list`. */
export function compareSecrets(a: SecretMetadata, b: SecretMetadata): number {
  return compareTexts(a.name, b.name) || compareTexts(a.id, b.id);
}

function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/**
 * Returns the versions of a secret as `SecretStore.versions` does: older ones get the metadata of the whole secret from
 * the current one, and no mac.
 *
 * @param versions the newest first
 */
export function spreadCurrent(versions: readonly EncryptedSecret[]): readonly EncryptedSecret[] {
  const [current, ...older] = versions;
  if (current === undefined) return [];
  const { revision, deletedAt, importedId, policy } = current.metadata;
  const whole = { revision, deletedAt, importedId, policy };
  return [
    current,
    ...older.map(({ metadata, envelope }) => ({ metadata: { ...metadata, ...whole }, envelope, mac: null })),
  ];
}

/**
 * Checks the writes of `SecretStore.put`, but not their header: that they are encrypted secrets, and that they may
 * follow the stored ones.
 *
 * @throws AutokestraError `NAME_INVALID`, `VALUE_INVALID`, `SECRET_EXISTS`, `VERSION_CONFLICT`
 */
export function checkWrites(writes: readonly SecretWrite[], stored: StoredSecrets): readonly CheckedWrite[] {
  const seen = new Set<string>();
  return writes.map((write) => {
    const { secret, isNew } = checkWrite(write, stored);
    const { name, id } = secret.metadata;
    if (seen.has(name) || seen.has(id)) throw invalid(name, "it is written twice at once");
    seen.add(name).add(id);
    return { secret, isNew };
  });
}

function checkWrite({ secret, expected }: SecretWrite, stored: StoredSecrets): CheckedWrite {
  const checked = checkEncryptedSecret(secret);
  const { id, name, version, revision, deletedAt } = checked.metadata;
  if (deletedAt !== null) throw invalid(name, "a new version cannot be deleted");
  const current = stored.living(name);
  if (expected === null) {
    if (current !== null) throw secretExists(name, `with version ${current.version}`);
    if (stored.has(id)) throw secretExists(name, `as one with id ${id}`);
    return { secret: checked, isNew: true };
  }
  if (current === null) throw versionConflict(name, "it is not found any more");
  if (current.id !== expected.id || current.id !== id) throw versionConflict(name, `it has id ${current.id} now`);
  if (current.revision !== expected.revision) throw versionConflict(name, `it has revision ${current.revision} now`);
  if (version <= current.version) throw invalid(name, `version ${version} cannot follow ${current.version}`);
  if (revision <= current.revision) throw invalid(name, `revision ${revision} cannot follow ${current.revision}`);
  return { secret: checked, isNew: false };
}

/**
 * Checks the change of `SecretStore.rewrite`, but not its header.
 *
 * @param versionsOf returns all stored versions of a secret, the newest first
 * @param living returns the id of the secret of a name that is not deleted
 * @throws AutokestraError `NAME_INVALID`, `VALUE_INVALID`, `SECRET_EXISTS`, `VERSION_CONFLICT`
 */
export function checkRewrite(
  { versions, nonces, revision, next }: SecretRewrite,
  versionsOf: (id: string) => readonly EncryptedSecret[],
  living: (name: SecretName) => string | null,
): CheckedRewrite {
  const checked = spreadCurrent(versions.map(checkEncryptedSecret));
  const [current] = checked;
  if (current === undefined) throw new AutokestraError("VALUE_INVALID", "A rewrite needs the current version");
  const { id, name } = current.metadata;
  if (checked.length !== nonces.length || !isOneSecret(checked.toReversed())) {
    throw invalid(name, "its versions are not in order, or not of one secret");
  }
  const stored = versionsOf(id);
  const [before] = stored;
  if (before === undefined) throw versionConflict(name, "it is not found any more");
  if (before.metadata.revision !== revision) {
    throw versionConflict(name, `it has revision ${before.metadata.revision} now`);
  }
  if (current.metadata.revision <= revision) {
    throw invalid(name, `revision ${current.metadata.revision} cannot follow ${revision}`);
  }
  if (before.metadata.version !== current.metadata.version) throw versionConflict(name, "it has another version now");
  for (const [index, { metadata }] of checked.entries()) {
    const one = stored.find(({ metadata: { version } }) => version === metadata.version);
    const nonce = nonces[index];
    if (one === undefined || nonce === undefined || !isSameNonce(one.envelope.nonce, nonce)) {
      throw versionConflict(name, `version ${metadata.version} is another one now`);
    }
  }
  if (name !== before.metadata.name && checked.length !== stored.length) {
    throw invalid(name, "a new name is for all of its versions");
  }
  const owner = current.metadata.deletedAt === null ? living(name) : null;
  if (owner !== null && owner !== id) throw secretExists(name, `as one with id ${owner}`);
  return { versions: checked, next: next === undefined ? null : checkNext(next, current.metadata) };
}

/** Checks the version that follows the current one of a rewrite. */
function checkNext(next: EncryptedSecret, current: SecretMetadata): EncryptedSecret {
  const checked = checkEncryptedSecret(next);
  const { id, name, version, revision, deletedAt } = checked.metadata;
  const isSame = id === current.id && name === current.name && revision === current.revision;
  if (!isSame || deletedAt !== null || current.deletedAt !== null || version <= current.version) {
    throw invalid(current.name, "what follows is not the next version of it");
  }
  return checked;
}

/**
 * Tells whether `SecretStore.reencrypt` replaces a version. A mac is valid for one revision, so the current version
 * must still have that revision.
 *
 * @param current the current version of the same secret, which can be `stored` itself
 */
export function isReencryptable(
  stored: EncryptedSecret,
  current: EncryptedSecret,
  { secret: { metadata }, nonce }: ReencryptedSecret,
): boolean {
  const isSame = stored.metadata.id === metadata.id && stored.metadata.version === metadata.version;
  const isCurrent = stored.metadata.version === current.metadata.version;
  const isOfRevision = !isCurrent || stored.metadata.revision === metadata.revision;
  return isSame && isOfRevision && isSameNonce(stored.envelope.nonce, nonce);
}

function isSameNonce(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/**
 * Checks the header of `SecretStore.put`, `rewrite` and `reencrypt`.
 *
 * @throws AutokestraError `HEADER_CHANGED`
 */
export function checkHeader(stored: string | null, expected: string | null): void {
  if (stored === expected) return;
  throw new AutokestraError("HEADER_CHANGED", "The keys of the secret store were changed by someone else", {
    hint: "Open the store again, then write.",
  });
}

/**
 * Checks the versions of one secret for `SecretStore.bulkInsert`.
 *
 * @param versions the oldest first
 * @returns the newest first, each as `SecretStore.versions` returns it
 * @throws AutokestraError `NAME_INVALID`, `VALUE_INVALID`
 */
export function checkVersions(versions: readonly EncryptedSecret[]): readonly EncryptedSecret[] {
  const checked = versions.map(checkEncryptedSecret);
  const [oldest] = checked;
  if (oldest !== undefined && !isOneSecret(checked)) {
    throw invalid(oldest.metadata.name, "its versions are not in order, or not of one secret");
  }
  return spreadCurrent(checked.toReversed());
}

/** Tells whether these are versions of one secret, the oldest first. */
function isOneSecret(versions: readonly EncryptedSecret[]): boolean {
  return versions.every(({ metadata }, index) => {
    const before = versions[index - 1]?.metadata;
    if (before === undefined) return true;
    return before.id === metadata.id && before.name === metadata.name && before.version < metadata.version;
  });
}

/**
 * Checks the anchor of `SecretStore.writeAnchor`.
 *
 * @throws AutokestraError `VALUE_INVALID`
 */
export function checkAnchor({ name, counter, text, mac }: Anchor, expected: number | null): void {
  const areTexts = [name, text, mac].every((one) => typeof one === "string");
  if (areTexts && name !== "" && Number.isSafeInteger(counter) && counter > (expected ?? -1)) return;
  throw new AutokestraError("VALUE_INVALID", "Invalid anchor: its counter must be a greater whole number");
}

/** Another secret has the name or the id. */
export function secretExists(name: string, how: string): AutokestraError {
  return new AutokestraError("SECRET_EXISTS", `Secret '${name}' already exists, ${how}`, {
    hint: "Replace its value, or use another name.",
  });
}

/** A header may not drop these data keys. */
export function dataKeyInUse(keyIds: readonly string[]): AutokestraError {
  return new AutokestraError(
    "DATA_KEY_IN_USE",
    `Some secrets are still encrypted under data key ${keyIds.join(", ")}`,
    {
      hint: "Encrypt them again under another key first.",
    },
  );
}

/** A store in layout 1 throws it from methods that need layout 2. */
export function layoutTooOld(): AutokestraError {
  return new AutokestraError("STORE_UNAVAILABLE", "The secret store still has the layout of version 1", {
    hint: "It must be upgraded before anything else is written to it.",
  });
}

function versionConflict(name: string, found: string): AutokestraError {
  return new AutokestraError("VERSION_CONFLICT", `Secret '${name}' was changed by someone else: ${found}`, {
    hint: "Read it again, then write.",
  });
}

function invalid(name: string, problem: string): AutokestraError {
  return new AutokestraError("VALUE_INVALID", `Secret '${name}': ${problem}`);
}
