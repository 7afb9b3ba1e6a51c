import { checkSealedSecret } from "./check-sealed-secret.ts";
import type { SealedSecret } from "./secret.ts";
import type { SecretName } from "./secret-name.ts";
import { KEPT_VERSIONS, type SecretStore } from "./secret-store.ts";
import { storeClosed } from "./store-errors.ts";
import { checkHeader, checkWrite, selectSecrets } from "./store-rules.ts";
import { isBefore, type Timestamp } from "./time.ts";

/** A store that ends with the process: for tests, and for reading where no store was ever made. */
export function createMemoryStore(): SecretStore {
  /** The versions of each secret, the newest first. */
  const secrets = new Map<SecretName, readonly SealedSecret[]>();
  let header: string | null = null;
  let open = true;

  function use(): void {
    if (!open) throw storeClosed();
  }

  function current(name: SecretName): SealedSecret | null {
    return secrets.get(name)?.[0] ?? null;
  }

  /** @returns false where the secret is not there, or is in the other state */
  function mark(name: SecretName, isDeleted: boolean, deletedAt: Timestamp | null): boolean {
    const versions = secrets.get(name) ?? [];
    const [newest] = versions;
    if (newest === undefined || (newest.metadata.deletedAt !== null) !== isDeleted) return false;
    secrets.set(
      name,
      versions.map(({ metadata, envelope }) => ({ metadata: { ...metadata, deletedAt }, envelope })),
    );
    return true;
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
      return current(name);
    },
    async history(name) {
      use();
      return secrets.get(name) ?? [];
    },
    async names({ after = "", limit } = {}) {
      use();
      const behind = [...secrets.keys()].filter((name) => name > after).sort();
      return behind.slice(0, limit);
    },
    async list(filter) {
      use();
      return selectSecrets(
        [...secrets.values()].flatMap(([newest]) => newest?.metadata ?? []),
        filter,
      );
    },
    async put(writes, expectedHeader, { keepVersions = KEPT_VERSIONS } = {}) {
      use();
      checkHeader(header, expectedHeader);
      const checked = writes.map((write) => checkWrite(write, (name) => current(name)?.metadata ?? null));
      for (const secret of checked) {
        const { name } = secret.metadata;
        mark(name, true, null);
        secrets.set(name, [secret, ...(secrets.get(name) ?? [])].slice(0, Math.max(1, keepVersions)));
      }
    },
    async reseal(changes, expectedHeader) {
      use();
      checkHeader(header, expectedHeader);
      for (const { metadata, envelope } of changes.map(checkSealedSecret)) {
        const versions = secrets.get(metadata.name) ?? [];
        const isSame = ({ metadata: { id, version } }: SealedSecret) =>
          id === metadata.id && version === metadata.version;
        if (!versions.some(isSame)) continue;
        secrets.set(
          metadata.name,
          versions.map((one) => (isSame(one) ? { ...one, envelope } : one)),
        );
      }
    },
    async delete(name, deletedAt) {
      use();
      return mark(name, false, deletedAt);
    },
    async restore(name) {
      use();
      return mark(name, true, null);
    },
    async purge(name) {
      use();
      return secrets.delete(name);
    },
    async purgeDeleted(before) {
      use();
      const old = [...secrets].filter(([, [newest]]) => isBefore(newest?.metadata.deletedAt ?? null, before));
      for (const [name] of old) secrets.delete(name);
      return old.length;
    },
    async close() {
      open = false;
      secrets.clear();
    },
  };
}
