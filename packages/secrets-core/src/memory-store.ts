import { AutokestraError, quoteText } from "./errors.ts";
import { checkSealedSecret, type SealedSecret, type SecretMetadata } from "./secret.ts";
import type { SecretFilter, SecretStore } from "./secret-store.ts";
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
    async put(secret, expectedVersion) {
      use();
      const checked = checkSealedSecret(secret);
      const { name } = checked.metadata;
      checkPut(checked, secrets.get(name)?.metadata ?? null, expectedVersion);
      secrets.set(name, checked);
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
 * The rule of {@link SecretStore.put}: may `secret` take the place of `current`?
 *
 * @throws AutokestraError `SECRET_EXISTS`, `VERSION_CONFLICT`
 */
export function checkPut(secret: SealedSecret, current: SecretMetadata | null, expectedVersion: number | null): void {
  const name = quoteText(secret.metadata.name);
  if (expectedVersion === null) {
    if (current === null) return;
    throw new AutokestraError("SECRET_EXISTS", `Secret '${name}' exists already, with version ${current.version}`, {
      hint: "Use `set` or `update` to replace its value.",
    });
  }
  if (current?.id === secret.metadata.id && current.version === expectedVersion) return;
  const found = current === null ? "it is gone" : `it has version ${current.version} now`;
  throw new AutokestraError("VERSION_CONFLICT", `Secret '${name}' was changed by someone else: ${found}`, {
    hint: "Read it again, then write.",
  });
}
