import type { SecretMetadata } from "../secret.ts";
import { parseSecretName, type SecretName } from "../secret-name.ts";
import type { SecretStore } from "../secret-store.ts";
import { sampleSecret } from "./sample-secret.ts";

/** The part of `expect` (vitest, jest) that the contract uses. */
export type Expect = (actual: unknown) => { toBe(expected: unknown): void; toEqual(expected: unknown): void } & {
  readonly rejects: { toMatchObject(expected: object): Promise<void> };
};

/** What a part of the contract registers its tests with. */
export interface ContractTools {
  /** Runs it with an empty store, and closes that. */
  readonly test: (name: string, run: (store: SecretStore) => Promise<void>) => void;
  readonly expect: Expect;
}

export const A: SecretName = parseSecretName("A");
export const B: SecretName = parseSecretName("B");
export const DELETED = "2026-02-01T00:00:00.000Z";
export const LATER = "2026-03-01T00:00:00.000Z";
export const OTHER_ID = "2c5ea4c0-4067-41e9-8bad-9b1deb4d3b7d";

/** The code of the error, or null where there is none. */
export async function refusal(attempt: Promise<void>): Promise<unknown> {
  return await attempt.then(
    () => null,
    (error: { code?: unknown }) => error.code,
  );
}

/** Names and versions of a list, `A1 B2`. */
export function short(secrets: readonly SecretMetadata[]): string {
  return secrets.map(({ name, version }) => name + version).join(" ");
}

/** Versions 1 to `count` of A, one after the other. */
export async function putVersions(store: SecretStore, count: number, keepVersions?: number): Promise<void> {
  for (let version = 1; version <= count; version++) {
    const write = { secret: sampleSecret("A", { version }), expectedVersion: version === 1 ? null : version - 1 };
    await store.put([write], await store.readHeader(), { keepVersions });
  }
}

/** The versions of A. */
export async function versionsOf(store: SecretStore): Promise<readonly number[]> {
  return (await store.history(A)).map(({ metadata }) => metadata.version);
}
