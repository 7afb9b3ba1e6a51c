import type { EncryptedSecret, Envelope, SecretMetadata } from "../secret.ts";
import { parseSecretName, type SecretName } from "../secret-name.ts";
import type { ExpectedSecret, SecretStore, StoreAbilities } from "../secret-store.ts";
import { sampleId, sampleSecret } from "./sample-secret.ts";

/** The part of `expect` (vitest, jest) that the contract uses. */
export type Expect = (actual: unknown) => { toBe(expected: unknown): void; toEqual(expected: unknown): void } & {
  readonly rejects: { toMatchObject(expected: object): Promise<void> };
};

/** A store, and how to open the same one again; null if it does not outlive `close`. */
export interface OpenedStore<Store = SecretStore> {
  readonly store: Store;
  readonly reopen: (() => Promise<Store>) | null;
}

/** Options of the contract of an ability. */
export interface AbilityContractOptions<Store extends SecretStore> {
  /** `it` of vitest, jest or node:test. */
  readonly it: (name: string, run: () => Promise<void>) => void;
  readonly expect: Expect;
  /** Opens a new empty store, which waits only briefly for other processes. */
  readonly open: () => Promise<OpenedStore<Store>>;
}

/** Registers a test that gets an empty store, which is closed afterwards. */
export function abilityTest<Store extends SecretStore>({ it, open }: AbilityContractOptions<Store>) {
  return (name: string, run: (store: Store, reopen: OpenedStore<Store>["reopen"]) => Promise<void>): void => {
    it(name, async () => {
      const { store, reopen } = await open();
      try {
        await run(store, reopen);
      } finally {
        await store.close();
      }
    });
  };
}

/** What a part of the contract needs to register its tests. */
export interface ContractTools {
  /** Runs it with an empty store, which is closed afterwards. */
  readonly test: (name: string, run: (store: SecretStore) => Promise<void>) => void;
  readonly expect: Expect;
}

export const A: SecretName = parseSecretName("A");
export const B: SecretName = parseSecretName("B");
export const C: SecretName = parseSecretName("C");
export const ID_A: string = sampleId("A");
export const ID_B: string = sampleId("B");
/** Ids that come before and after all those of {@link sampleId}. */
export const LEAST_ID = "00000000-0000-4000-a000-000000000000";
export const OTHER_ID = "ffffffff-4067-41e9-8bad-9b1deb4d3b7d";
export const DELETED = "2026-02-01T00:00:00.000Z";
export const LATER = "2026-03-01T00:00:00.000Z";

/** Returns the code of the error, or null if there is none. */
export async function refusal(attempt: Promise<unknown>): Promise<unknown> {
  return await attempt.then(
    () => null,
    (error: { code?: unknown }) => error.code,
  );
}

/** Returns names and versions of a list as `A1 B2`. */
export function short(secrets: readonly SecretMetadata[]): string {
  return secrets.map(({ name, version }) => name + version).join(" ");
}

/** Puts versions 1 to `count` of A, one after the other. */
export async function putVersions(store: SecretStore, count: number, maxVersions?: number): Promise<void> {
  for (let version = 1; version <= count; version++) {
    const expected = version === 1 ? null : { id: ID_A, revision: version - 1 };
    await store.put([{ secret: sampleSecret("A", { version }), expected }], await store.readHeader(), {
      maxVersions,
    });
  }
}

/** Returns the version numbers of A. */
export async function versionsOf(store: SecretStore): Promise<readonly number[]> {
  return (await store.versions(ID_A)).map(({ metadata }) => metadata.version);
}

/**
 * Returns a sample as `versions` returns an older version, with the metadata of the whole secret from the current one.
 */
export function older(secret: EncryptedSecret, current: EncryptedSecret): EncryptedSecret {
  const { revision, deletedAt, importedId, policy } = current.metadata;
  return { ...secret, metadata: { ...secret.metadata, revision, deletedAt, importedId, policy }, mac: null };
}

/** Returns versions of A as `versions` returns them, the newest first. */
export function versionsOfA(versions: readonly number[], changes: Partial<SecretMetadata> = {}): EncryptedSecret[] {
  const samples = versions.map((version) => sampleSecret("A", { version, ...changes }));
  const [current] = samples;
  return samples.map((one) => (current === undefined || one === current ? one : older(one, current)));
}

/** Returns an envelope with other bytes, as another encryption of a version of A. */
export function again(version: number): Envelope {
  return sampleSecret(`again${version}`).envelope;
}

/** Returns everything that a store returns, except its anchors. */
export async function contentOf(store: SecretStore): Promise<unknown> {
  const versions = [];
  for (const id of await store.ids()) versions.push(await store.versions(id));
  return { header: await store.readHeader(), all: await store.list({ state: "all" }), versions };
}

/**
 * Puts one secret under the header that the store has.
 *
 * @param expected the secret that it follows, such as the metadata of the previous version. Default: null, a new secret
 */
export async function putSecret(
  store: SecretStore,
  secret: EncryptedSecret,
  expected: ExpectedSecret | null = null,
): Promise<void> {
  await store.put([{ secret, expected }], await store.readHeader());
}

/** A store that is one file. */
export type FileStore = SecretStore & StoreAbilities;

/** Options of the contract of stores that are files. */
export interface StoreFileOptions {
  /** `it` of vitest, jest or node:test. */
  readonly it: (name: string, run: () => Promise<void>) => void;
  readonly expect: Expect;
  /** Returns a new path in a new folder each time. */
  readonly newPath: () => string;
  /** Opens the store at a path, which waits only briefly for other processes. */
  readonly open: (path: string, options: { readonly create: boolean }) => Promise<FileStore>;
  /** `copyFile` of node:fs/promises. */
  readonly copy: (from: string, to: string) => Promise<void>;
  /** `writeFile` of node:fs/promises. */
  readonly write: (path: string, content: Uint8Array) => Promise<void>;
  /** `rename` of node:fs/promises. */
  readonly move: (from: string, to: string) => Promise<void>;
}

/** What the tests of stores that are files share. */
export interface FileTools extends StoreFileOptions {
  /** Runs it with an empty store, which is closed afterwards. */
  readonly test: (name: string, run: (store: FileStore, path: string) => Promise<void>) => void;
  /** Opens the store at a path, runs `work` with it and closes it. */
  readonly opened: <T>(path: string, work: (store: FileStore) => Promise<T>, create?: boolean) => Promise<T>;
}

export const UNAVAILABLE = { code: "STORE_UNAVAILABLE" };

/** Returns everything that a store returns, including its anchors. */
export async function wholeContentOf(store: SecretStore): Promise<unknown> {
  return { anchors: await store.anchors(), content: await contentOf(store) };
}

const ANCHOR = { name: "audit", counter: 7, text: "text", mac: "mac" };

/** Fills a store with a header, some secrets with older versions, a deleted one, and an anchor. */
export async function fill(store: SecretStore): Promise<void> {
  await store.writeHeader("one", null);
  for (const name of ["A", "B", "C"]) await putSecret(store, sampleSecret(name, { tags: ["x", name] }));
  await putSecret(store, sampleSecret("B", { version: 2 }), { id: ID_B, revision: 1 });
  await store.delete(ID_B, DELETED);
  await putSecret(store, sampleSecret("B", { id: OTHER_ID }));
  await store.writeAnchor(ANCHOR, null);
}
