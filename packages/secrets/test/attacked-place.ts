import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Plaintext,
  parseSecretName,
  type SecretEncryption,
  type SecretInput,
  type SecretService,
  type SecretStore,
} from "@autokestra/secrets-core";
import { toCurrentPayload } from "@autokestra/secrets-core/internal";
import { expect } from "vitest";
import { openSecretsManager, type SecretsManager, type SecretsOptions } from "../src/index.ts";
import { editStored, readStored, type StoredContent, type StoredSecret } from "./stored-content.ts";

const POLICY = '{"workflows":["deploy"]}';

/** The parts that are there to be attacked, with their HOME beside them. */
export interface Place {
  readonly root: string;
  readonly folder: string;
  readonly keyFolder: string;
  readonly options: SecretsOptions;
}

export function placeAt(root: string): Place {
  const home = join(root, "home");
  const folder = join(root, "secrets");
  return {
    root,
    folder,
    keyFolder: join(home, ".autokestra"),
    options: { env: { HOME: home }, storagePath: folder },
  };
}

export async function makeRoot(): Promise<string> {
  return await mkdtemp(join(tmpdir(), "autokestra-attacks-"));
}

/** Puts a copy of one place where another one may have been. The key folder of the copy knows the store at its old path. */
export async function copyPlace(from: Place, to: Place): Promise<void> {
  await rm(to.root, { recursive: true, force: true });
  await cp(from.root, to.root, { recursive: true });
}

export async function use<T>(options: SecretsOptions, work: (manager: SecretsManager) => Promise<T>): Promise<T> {
  const manager = await openSecretsManager(options);
  try {
    return await work(manager);
  } finally {
    await manager.secrets.close();
  }
}

export function apiKey(name: string, value: string): SecretInput {
  return { name, type: "apiKey", fields: { value } };
}

/** Stores a secret with a policy, which nothing but the store can be given yet. */
async function putWithPolicy(
  { store, encryption }: { readonly store: SecretStore; readonly encryption: SecretEncryption },
  name: string,
): Promise<void> {
  const time = "2026-01-02T03:04:05.678Z";
  const metadata = {
    id: crypto.randomUUID(),
    name: parseSecretName(name),
    type: "apiKey" as const,
    description: `of ${name}`,
    tags: ["ci"],
    version: 1,
    revision: 1,
    createdAt: time,
    updatedAt: time,
    expiresAt: null,
    deletedAt: null,
    importedId: 7,
    policy: POLICY,
  };
  const plaintext = toCurrentPayload(name, 1, JSON.stringify({ value: "a1" }) as Plaintext);
  const { secrets, header } = await encryption.encrypt([{ metadata, plaintext }]);
  await store.put(
    secrets.map((secret) => ({ secret, expected: null })),
    header,
  );
}

/**
 * Fills a store: A and B with three versions each, A with a policy; SEALED was deleted with the key, and UNSEALED without it.
 */
export async function fillPlace({ options }: Place, backend: string): Promise<void> {
  await use({ ...options, backend }, async (manager) => {
    const { secrets, store } = manager;
    await putWithPolicy(manager, "A");
    for (const value of ["a2", "a3"]) await secrets.set({ ...apiKey("A", value), expiresAt: "2099-01-01" });
    for (const value of ["b1", "b2", "b3"]) await secrets.set(apiKey("B", value));
    await secrets.set(apiKey("SEALED", "sealed"));
    await secrets.delete("SEALED");
    const { id } = await secrets.set(apiKey("UNSEALED", "unsealed"));
    await store.delete(id, new Date().toISOString());
  });
}

/** Finds a stored secret by its name. */
export function named({ secrets }: StoredContent, name: string): StoredSecret {
  const found = secrets.find(({ current }) => current.name === name);
  if (found === undefined) throw new Error(`there is no ${name}`);
  return found;
}

/** The stored secret with this id, as text, to be compared; empty where there is none. */
export function storedText(folder: string, id: string): string {
  const found = readStored(folder).secrets.find(({ current }) => current.id === id);
  return found === undefined ? "" : JSON.stringify(found);
}

/** Puts one secret in the place of whatever has one of its names or ids now, and leaves the rest as it is. */
export function putStored(folder: string, secret: StoredSecret, ...instead: readonly string[]): void {
  editStored(folder, (content) => {
    const gone = [secret.current.id, ...instead];
    const others = content.secrets.filter(({ current }) => !gone.includes(current.id));
    content.secrets = [...others, structuredClone(secret)];
  });
}

/** Checks that an attempt is refused, in a way that says what to do. */
export async function expectRefusal(attempt: Promise<unknown>, what: string, ...codes: string[]): Promise<void> {
  const outcome = await attempt.then(
    (value: unknown) => ({ code: "none", hint: "", value }),
    (error: unknown) => error,
  );
  expect(outcome, what).toMatchObject({ code: expect.toBeOneOf(codes), hint: expect.stringMatching(/\w/) });
}

/**
 * What is tried on a store of this kind: every other attack in SQLite and the rest in the file store. As `npm run faults` does it, all of
 * them in both.
 *
 * @param part only every so many-th of these. Default: each
 */
export function attacksOn<T>(backend: string, attacks: readonly T[], part = 1): T[] {
  if (process.env["LONG_TESTS"] === "true") return [...attacks];
  return attacks
    .filter((_, index) => (index % 2 === 0) === (backend === "sqlite"))
    .filter((_, index) => index % part === 0);
}

/** A call of the service, with its name. */
export type NamedCall = readonly [string, (secrets: SecretService) => Promise<unknown>];

/** What opens the keys, where there are a secret A and a deleted one. @param deleted its name */
export function openingCalls(deleted: string): readonly NamedCall[] {
  return [
    ["get", async (secrets) => await secrets.get("A")],
    ["describe", async (secrets) => await secrets.describe("A")],
    ["set", async (secrets) => await secrets.set(apiKey("A", "new"))],
    ["create", async (secrets) => await secrets.create(apiKey("C", "new"))],
    ["edit", async (secrets) => await secrets.edit("A", { addTags: ["new"] })],
    ["rename", async (secrets) => await secrets.rename("A", "Z")],
    ["rollback", async (secrets) => await secrets.rollback("A", 1)],
    ["restore", async (secrets) => await secrets.restore(deleted)],
  ];
}
