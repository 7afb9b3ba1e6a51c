import { cpSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SecretInput, SecretService } from "@autokestra/secrets-core";
import { expect } from "vitest";
import { openSecretsManager, type SecretsManager, type SecretsOptions } from "../src/index.ts";
import { editStored, readStored, type StoredContent, type StoredSecret } from "./stored-content.ts";

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
export function copyPlace(from: Place, to: Place): void {
  rmSync(to.root, { recursive: true, force: true });
  cpSync(from.root, to.root, { recursive: true });
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

/**
 * Fills a store: A and B with three versions each, A with a policy; SEALED was deleted with the key, and UNSEALED without it.
 */
export async function fillPlace({ options }: Place, backend: string): Promise<void> {
  await use({ ...options, backend }, async (manager) => {
    const { secrets, store } = manager;
    const allow = { workflows: ["deploy"] };
    await secrets.setAll([{ ...apiKey("A", "a1"), description: "of A", tags: ["ci"], importedId: 7, allow }]);
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
