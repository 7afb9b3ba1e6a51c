import type { EncryptedSecret, SecretMetadata } from "../secret.ts";
import type { SecretName } from "../secret-name.ts";
import type { ReencryptedSecret } from "../secret-store.ts";
import {
  A,
  again,
  type ContractTools,
  DELETED,
  ID_A,
  OTHER_ID,
  older,
  putSecret,
  putVersions,
  refusal,
  versionsOfA,
} from "./contract-tools.ts";
import { sampleSecret } from "./sample-secret.ts";

/** A version of A that was encrypted again under another key. */
function reencrypted(version: number, changes: Partial<SecretMetadata> = {}): ReencryptedSecret {
  const sample = sampleSecret("A", { version, ...changes });
  const envelope = { ...again(version), keyId: "12345678" };
  return { secret: { ...sample, envelope, mac: `c0ffee00:again${version}` }, nonce: sample.envelope.nonce };
}

/** Returns a version after `reencrypted`: its metadata are unchanged, and it has a mac if it is the current one. */
function afterwards(version: number, current: EncryptedSecret): EncryptedSecret {
  const { envelope, mac } = reencrypted(version).secret;
  const { metadata } = sampleSecret("A", { version });
  return version === current.metadata.version
    ? { metadata, envelope, mac }
    : older({ metadata, envelope, mac }, current);
}

/** Tests how versions are encrypted again. */
export function reencryptContract({ test, expect }: ContractTools): void {
  test("reencrypt replaces the envelopes of the versions that are there, and the mac of the current one", async (store) => {
    await putVersions(store, 2);
    await store.writeHeader("one", null);
    const changed = { code: "HEADER_CHANGED" };
    await expect(store.reencrypt([reencrypted(1)], null)).rejects.toMatchObject(changed);
    expect(await store.versions(ID_A)).toEqual(versionsOfA([2, 1]));
    const current = sampleSecret("A", { version: 2 });
    await store.reencrypt([reencrypted(1, { revision: 2, description: "another", tags: ["x"] })], "one");
    expect(await store.versions(ID_A)).toEqual([current, afterwards(1, current)]);
    await store.reencrypt([reencrypted(2), reencrypted(3), reencrypted(1, { id: OTHER_ID })], "one");
    expect(await store.versions(ID_A)).toEqual([2, 1].map((version) => afterwards(version, current)));
    expect(await store.get(A)).toEqual(afterwards(2, current));
    await store.reencrypt([], "one");
  });

  test("reencrypt leaves a version alone that has another nonce by now", async (store) => {
    await putVersions(store, 2);
    await store.reencrypt([reencrypted(1), reencrypted(2)], null);
    const before = await store.versions(ID_A);
    await store.reencrypt([{ ...reencrypted(1), secret: sampleSecret("A", { version: 1 }) }], null);
    await store.reencrypt([{ ...reencrypted(2), secret: sampleSecret("A", { version: 2 }) }], null);
    expect(await store.versions(ID_A)).toEqual(before);
  });

  test("reencrypt gives a secret that was changed meanwhile no mac of before", async (store) => {
    await putVersions(store, 2);
    const edited = sampleSecret("A", { version: 2, revision: 3, description: "new" });
    await store.rewrite({ versions: [edited], nonces: [edited.envelope.nonce], revision: 2 }, null);
    await store.reencrypt([reencrypted(2), reencrypted(1, { revision: 2 })], null);
    expect(await store.get(A)).toEqual(edited);
    expect((await store.versions(ID_A))[1]).toEqual(afterwards(1, edited));
    const next = sampleSecret("A", { version: 3, revision: 4 });
    await putSecret(store, next, { id: ID_A, revision: 3 });
    await store.reencrypt([reencrypted(2)], null);
    const [current, former] = await store.versions(ID_A);
    expect([current, former?.mac]).toEqual([next, null]);
    expect(former?.envelope).toEqual(reencrypted(2).secret.envelope);
  });

  test("reencrypt reaches a deleted secret, and one that was deleted meanwhile without a key", async (store) => {
    await putVersions(store, 2);
    await store.delete(ID_A, DELETED);
    await store.reencrypt([reencrypted(2)], null);
    const { envelope, mac } = reencrypted(2).secret;
    const { metadata } = sampleSecret("A", { version: 2, deletedAt: DELETED });
    expect(await store.find(ID_A)).toEqual({ metadata, envelope, mac });
  });

  test("reencrypt takes all or nothing", async (store) => {
    await putVersions(store, 2);
    const { secret, nonce } = reencrypted(2);
    const forgery = { secret: { ...secret, metadata: { ...secret.metadata, revision: 0 } }, nonce };
    expect(await refusal(store.reencrypt([reencrypted(1), forgery], null))).toBe("VALUE_INVALID");
    const misnamed = { secret: { ...secret, metadata: { ...secret.metadata, name: "" as SecretName } }, nonce };
    expect(await refusal(store.reencrypt([reencrypted(1), misnamed], null))).toBe("NAME_INVALID");
    expect(await store.versions(ID_A)).toEqual(versionsOfA([2, 1]));
  });
}
