import { AutokestraError } from "./errors.ts";
import { checkSealedSecret, type SealedSecret, type SecretMetadata } from "./secret.ts";
import type { SecretName } from "./secret-name.ts";
import type { SecretFilter, SecretStore, SecretWrite } from "./secret-store.ts";
import { storeClosed } from "./store-errors.ts";

/** A store that ends with the process: for tests, and for reading where no store was ever made. */
export function createMemoryStore(): SecretStore {
  const secrets = new Map<string, SealedSecret>();
  let header: string | null = null;
  let open = true;

  function use(): void {
    if (!open) throw storeClosed();
  }

  return {
    backend: "memory",
    async readHeader() {
      use();
      return header;
    },
    async writeHeader(next, expected) {
      use();
      if (header !== expected) return false;
      header = next;
      return true;
    },
    async get(name) {
      use();
      return secrets.get(name) ?? null;
    },
    async list(filter) {
      use();
      const all = [...secrets.values()].map((secret) => secret.metadata);
      return all.filter((metadata) => passesFilter(metadata, filter)).sort(byName);
    },
    async put(writes, expectedHeader) {
      use();
      checkHeader(header, expectedHeader);
      const checked = writes.map((write) => checkWrite(write, (name) => secrets.get(name)?.metadata ?? null));
      for (const secret of checked) secrets.set(secret.metadata.name, secret);
    },
    async delete(name) {
      use();
      return secrets.delete(name);
    },
    async close() {
      open = false;
      secrets.clear();
    },
  };
}

/** True where the filter lets this secret through. For stores that filter in memory. */
export function passesFilter(metadata: SecretMetadata, filter: SecretFilter = {}): boolean {
  const { type, tags = [] } = filter;
  return (type === undefined || metadata.type === type) && tags.every((tag) => metadata.tags.includes(tag));
}

/** Orders metadata by name, by UTF-16 unit, as {@link SecretStore.list} promises. */
export function byName(a: SecretMetadata, b: SecretMetadata): number {
  if (a.name === b.name) return 0;
  return a.name < b.name ? -1 : 1;
}

/**
 * The rule of {@link SecretStore.put} for one write: is it a sealed secret, and may it take the place of the stored one?
 *
 * @param stored the metadata of the secret that has the name now, or null
 * @returns the secret, without what does not belong there
 * @throws AutokestraError `NAME_INVALID`, `VALUE_INVALID`, `SECRET_EXISTS`, `VERSION_CONFLICT`
 */
export function checkWrite(
  { secret, expectedVersion }: SecretWrite,
  stored: (name: SecretName) => SecretMetadata | null,
): SealedSecret {
  const checked = checkSealedSecret(secret);
  const { id, name } = checked.metadata;
  const current = stored(name);
  if (expectedVersion === null) {
    if (current === null) return checked;
    throw new AutokestraError("SECRET_EXISTS", `Secret '${name}' exists already, with version ${current.version}`, {
      hint: "Use `set` or `update` to replace its value.",
    });
  }
  if (current?.id === id && current.version === expectedVersion) return checked;
  const found = current === null ? "it is gone" : `it has version ${current.version} now`;
  throw new AutokestraError("VERSION_CONFLICT", `Secret '${name}' was changed by someone else: ${found}`, {
    hint: "Read it again, then write.",
  });
}

/**
 * The rule of {@link SecretStore.put} for its header.
 *
 * @throws AutokestraError `HEADER_CHANGED`
 */
export function checkHeader(stored: string | null, expected: string | null): void {
  if (stored === expected) return;
  throw new AutokestraError("HEADER_CHANGED", "The keys of the secret store were changed by someone else", {
    hint: "Open the store again, then write.",
  });
}
