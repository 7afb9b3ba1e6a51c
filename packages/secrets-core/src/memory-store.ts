import { storeClosed } from "./errors.ts";
import { checkEncryptedSecret } from "./metadata.ts";
import type { EncryptedSecret } from "./secret.ts";
import type { SecretName } from "./secret-name.ts";
import { type Anchor, DEFAULT_MAX_VERSIONS, type SecretStore, type StoreLayout } from "./secret-store.ts";
import {
  checkAnchor,
  checkHeader,
  checkRewrite,
  checkWrites,
  dataKeyInUse,
  isReencryptable,
  layoutTooOld,
  onAllPages,
  selectSecrets,
  spreadCurrent,
} from "./store-rules.ts";
import { isBefore } from "./time.ts";

/** The initial content of a memory store, for tests. */
export interface MemoryStoreOptions {
  /** Default: 2. */
  readonly layout?: StoreLayout | undefined;
  /** Default: none. */
  readonly header?: string | null | undefined;
  /**
   * Versions of any number of secrets, those of one secret from the oldest to the newest. In layout 1 their macs are
   * dropped, and their revisions become their versions. Default: none.
   */
  readonly secrets?: readonly EncryptedSecret[] | undefined;
}

/**
 * Creates a store in memory, which is lost when the process ends. Use it in tests of a service or a source.
 *
 * @example
 * ```ts
 * import { createMemoryStore } from "@autokestra/secrets-core";
 *
 * const store = createMemoryStore({ header: "header" });
 * console.log(await store.readHeader(), await store.list()); // prints header []
 * ```
 */
export function createMemoryStore({ layout = 2, header = null, secrets = [] }: MemoryStoreOptions = {}): SecretStore {
  const content: Content = {
    layout,
    header,
    secrets: group(layout === 1 ? secrets.map(withoutMac) : secrets),
    anchors: new Map(),
    isOpen: true,
  };
  return {
    driver: "memory",
    ...createReads(content),
    ...createWrites(content),
    ...createChanges(content),
    ...createRemovals(content),
    async close() {
      content.isOpen = false;
      content.secrets.clear();
    },
  };
}

interface Content {
  layout: StoreLayout;
  header: string | null;
  /** The versions of each secret by its id, the newest first. */
  readonly secrets: Map<string, readonly EncryptedSecret[]>;
  readonly anchors: Map<string, Anchor>;
  isOpen: boolean;
}

function use(content: Content): void {
  if (!content.isOpen) throw storeClosed();
}

function useLayout2(content: Content): void {
  use(content);
  if (content.layout === 1) throw layoutTooOld();
}

function find({ secrets }: Content, id: string): EncryptedSecret | null {
  return secrets.get(id)?.[0] ?? null;
}

function currents({ secrets }: Content): readonly EncryptedSecret[] {
  return [...secrets.values()].flatMap(([current]) => current ?? []);
}

function living(content: Content, name: SecretName): EncryptedSecret | null {
  return currents(content).find(({ metadata }) => metadata.name === name && metadata.deletedAt === null) ?? null;
}

/** Replaces the current version. */
function replaceCurrent({ secrets }: Content, current: EncryptedSecret): void {
  const { id } = current.metadata;
  const [, ...older] = secrets.get(id) ?? [];
  secrets.set(id, spreadCurrent([current, ...older]));
}

type Reads =
  | "layout"
  | "readHeader"
  | "get"
  | "find"
  | "versions"
  | "ids"
  | "list"
  | "count"
  | "readAnchor"
  | "anchors";

function createReads(content: Content): Pick<SecretStore, Reads> {
  return {
    async layout() {
      use(content);
      return content.layout;
    },
    async readHeader() {
      use(content);
      return content.header;
    },
    async get(name) {
      use(content);
      return living(content, name);
    },
    async find(id) {
      use(content);
      return find(content, id);
    },
    async versions(id) {
      use(content);
      return content.secrets.get(id) ?? [];
    },
    async ids({ name, after = "", limit } = {}) {
      use(content);
      const wanted = currents(content).filter(
        ({ metadata }) => metadata.id > after && (name === undefined || metadata.name === name),
      );
      const ids = wanted.map(({ metadata }) => metadata.id).sort();
      return ids.slice(0, limit);
    },
    async list(filter) {
      use(content);
      const all = currents(content).map(({ metadata }) => metadata);
      return selectSecrets(all, filter);
    },
    async count(filter) {
      use(content);
      const all = currents(content).map(({ metadata }) => metadata);
      return selectSecrets(all, onAllPages(filter)).length;
    },
    async readAnchor(name) {
      use(content);
      return content.anchors.get(name) ?? null;
    },
    async anchors() {
      use(content);
      return [...content.anchors.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    },
  };
}

function createWrites(content: Content): Pick<SecretStore, "upgrade" | "writeHeader" | "put" | "writeAnchor"> {
  const { secrets, anchors } = content;
  return {
    async upgrade(header, expected, authenticate) {
      use(content);
      if (content.layout === 2 || content.header !== expected) return false;
      const authenticated = currents(content).map((secret) => ({ ...secret, mac: authenticate(secret) }));
      for (const secret of authenticated) replaceCurrent(content, secret);
      content.layout = 2;
      content.header = header;
      return true;
    },
    async writeHeader(header, expected, unusedKeys = []) {
      useLayout2(content);
      if (content.header !== expected) return false;
      const keyIds = new Set([...secrets.values()].flat().map(({ envelope }) => envelope.keyId));
      const inUse = unusedKeys.filter((id) => keyIds.has(id));
      if (inUse.length > 0) throw dataKeyInUse(inUse);
      content.header = header;
      return true;
    },
    async put(writes, header, { maxVersions = DEFAULT_MAX_VERSIONS } = {}) {
      useLayout2(content);
      checkHeader(content.header, header);
      const checked = checkWrites(writes, {
        living: (name) => living(content, name)?.metadata ?? null,
        has: (id) => secrets.has(id),
      });
      for (const { secret } of checked) {
        const { id } = secret.metadata;
        const versions = [secret, ...(secrets.get(id) ?? [])].slice(0, Math.max(1, maxVersions));
        secrets.set(id, spreadCurrent(versions));
      }
    },
    async writeAnchor({ name, counter, text, mac }, expected) {
      useLayout2(content);
      checkAnchor({ name, counter, text, mac }, expected);
      if ((anchors.get(name)?.counter ?? null) !== expected) return false;
      anchors.set(name, { name, counter, text, mac });
      return true;
    },
  };
}

function createChanges(content: Content): Pick<SecretStore, "rewrite" | "reencrypt"> {
  const { secrets } = content;
  return {
    async rewrite(change, header, { maxVersions = DEFAULT_MAX_VERSIONS } = {}) {
      useLayout2(content);
      checkHeader(content.header, header);
      const { versions: changed, next } = checkRewrite(
        change,
        (id) => secrets.get(id) ?? [],
        (name) => living(content, name)?.metadata.id ?? null,
      );
      const id = changed[0]?.metadata.id ?? "";
      const versions = (secrets.get(id) ?? []).map(
        (one) => changed.find(({ metadata }) => metadata.version === one.metadata.version) ?? one,
      );
      secrets.set(id, spreadCurrent(next === null ? versions : [next, ...versions].slice(0, maxVersions)));
    },
    async reencrypt(changes, header) {
      useLayout2(content);
      checkHeader(content.header, header);
      const checked = changes.map(({ secret, nonce }) => ({ secret: checkEncryptedSecret(secret), nonce }));
      for (const change of checked) {
        const { envelope, mac, metadata } = change.secret;
        const versions = secrets.get(metadata.id) ?? [];
        const [current] = versions;
        if (current === undefined) continue;
        const reencrypted = versions.map((stored) =>
          isReencryptable(stored, current, change) ? { metadata: stored.metadata, envelope, mac } : stored,
        );
        secrets.set(metadata.id, spreadCurrent(reencrypted));
      }
    },
  };
}

function createRemovals(content: Content): Pick<SecretStore, "delete" | "purge" | "purgeDeleted"> {
  const { secrets } = content;
  return {
    async delete(id, deletedAt) {
      use(content);
      const current = find(content, id);
      if (current === null || current.metadata.deletedAt !== null) return false;
      replaceCurrent(content, { ...current, metadata: { ...current.metadata, deletedAt } });
      return true;
    },
    async purge(...ids) {
      use(content);
      return ids.filter((id) => secrets.delete(id)).length > 0;
    },
    async purgeDeleted(before) {
      use(content);
      const old = currents(content).filter(({ metadata }) => isBefore(metadata.deletedAt, before));
      for (const { metadata } of old) secrets.delete(metadata.id);
      return old.length;
    },
  };
}

/** @param secrets those of one id from the oldest to the newest */
function group(secrets: readonly EncryptedSecret[]): Map<string, readonly EncryptedSecret[]> {
  const byId = new Map<string, readonly EncryptedSecret[]>();
  for (const secret of secrets) {
    const { id } = secret.metadata;
    byId.set(id, spreadCurrent([secret, ...(byId.get(id) ?? [])]));
  }
  return byId;
}

/** Returns the secret as layout 1 stores it. */
function withoutMac({ metadata, envelope }: EncryptedSecret): EncryptedSecret {
  return { metadata: { ...metadata, revision: metadata.version, importedId: null, policy: null }, envelope, mac: null };
}
