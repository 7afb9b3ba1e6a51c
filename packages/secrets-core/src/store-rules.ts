import { checkSealedSecret } from "./check-sealed-secret.ts";
import { AutokestraError } from "./errors.ts";
import type { SealedSecret, SecretMetadata } from "./secret.ts";
import type { SecretName } from "./secret-name.ts";
import type { SecretFilter, SecretWrite } from "./secret-store.ts";
import { isBefore } from "./time.ts";

/** True where the filter lets this secret through; `limit` is left to the caller. For stores that filter in memory. */
export function passesFilter(metadata: SecretMetadata, filter: SecretFilter = {}): boolean {
  const { type, tags = [], prefix = "", expiresBefore, state = "active", deletedSince, after } = filter;
  return (
    (type === undefined || metadata.type === type) &&
    tags.every((tag) => metadata.tags.includes(tag)) &&
    metadata.name.startsWith(prefix) &&
    (expiresBefore === undefined || isBefore(metadata.expiresAt, expiresBefore)) &&
    (state === "all" || (metadata.deletedAt !== null) === (state === "deleted")) &&
    (deletedSince === undefined || !isBefore(metadata.deletedAt, deletedSince)) &&
    (after === undefined || metadata.name > after)
  );
}

/** What `list` makes of all secrets, in memory. */
export function selectSecrets(all: readonly SecretMetadata[], filter: SecretFilter = {}): readonly SecretMetadata[] {
  const passing = all.filter((metadata) => passesFilter(metadata, filter)).sort(byName);
  return passing.slice(0, filter.limit);
}

/** Orders metadata by name, by UTF-16 unit, as `list` promises. */
function byName(a: SecretMetadata, b: SecretMetadata): number {
  if (a.name === b.name) return 0;
  return a.name < b.name ? -1 : 1;
}

/**
 * The rule of `SecretStore.put` for one write: is it a sealed secret, and may it follow the stored one?
 *
 * @param stored the metadata of the secret that has the name now, be it deleted, or null
 * @returns the secret, in use, without what does not belong there
 * @throws AutokestraError `NAME_INVALID`, `VALUE_INVALID`, `SECRET_EXISTS`, `VERSION_CONFLICT`
 */
export function checkWrite(
  { secret, expectedVersion, mayBeDeleted = false }: SecretWrite,
  stored: (name: SecretName) => SecretMetadata | null,
): SealedSecret {
  const { metadata, envelope } = checkSealedSecret(secret);
  const { id, name, version } = metadata;
  if (version <= (expectedVersion ?? 0)) {
    throw new AutokestraError("VALUE_INVALID", `Secret '${name}': version ${version} cannot follow ${expectedVersion}`);
  }
  const inUse = { metadata: { ...metadata, deletedAt: null }, envelope };
  const current = stored(name);
  if (expectedVersion === null) {
    if (current === null) return inUse;
    throw new AutokestraError("SECRET_EXISTS", `Secret '${name}' exists already, with version ${current.version}`, {
      hint: "Use `set` or `update` to replace its value.",
    });
  }
  const isSame = current?.id === id && current.version === expectedVersion;
  if (isSame && (mayBeDeleted || current.deletedAt === null)) return inUse;
  const found = current === null ? "it is gone" : isSame ? "it is deleted" : `it has version ${current.version} now`;
  throw new AutokestraError("VERSION_CONFLICT", `Secret '${name}' was changed by someone else: ${found}`, {
    hint: "Read it again, then write.",
  });
}

/**
 * The rule of `SecretStore.put` and `reseal` for their header.
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
 * The rule of `SecretStoreFile.load` for one secret.
 *
 * @param history its versions, the oldest first; the last one tells whether it is deleted
 * @returns the same, without what does not belong there
 * @throws AutokestraError `NAME_INVALID`, `VALUE_INVALID`
 */
export function checkHistory(history: readonly SealedSecret[]): readonly SealedSecret[] {
  const checked = history.map(checkSealedSecret);
  for (const [index, { metadata }] of checked.entries()) {
    const before = checked[index - 1]?.metadata;
    if (before === undefined) continue;
    if (before.id === metadata.id && before.name === metadata.name && before.version < metadata.version) continue;
    throw new AutokestraError(
      "VALUE_INVALID",
      `The versions of secret '${before.name}' are not in order, or not of one secret`,
    );
  }
  return checked;
}
