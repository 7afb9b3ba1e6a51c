import type { EncryptedSecret, SecretMetadata } from "../secret.ts";
import type { SecretName } from "../secret-name.ts";
import type { SecretRewrite, SecretStore } from "../secret-store.ts";
import {
  A,
  again,
  B,
  C,
  type ContractTools,
  contentOf,
  DELETED,
  ID_A,
  ID_B,
  OTHER_ID,
  older,
  putSecret,
  putVersions,
  refusal,
  short,
  versionsOf,
} from "./contract-tools.ts";
import { sampleSecret } from "./sample-secret.ts";

/** Returns these versions of A, the newest first, encrypted again under the next revision. */
function rewritten(
  versions: readonly number[],
  revision: number,
  changes: Partial<SecretMetadata> = {},
): SecretRewrite {
  return {
    versions: versions.map((version) => ({
      ...sampleSecret("A", { version, revision: revision + 1, ...changes }),
      envelope: again(version),
    })),
    nonces: versions.map((version) => sampleSecret("A", { version }).envelope.nonce),
    revision,
  };
}

/** Tests changes of whole secrets in place. */
export function rewriteContract(tools: ContractTools): void {
  editContract(tools);
  nextContract(tools);
  restoreContract(tools);
  conflictContract(tools);
  refusalContract(tools);
}

function editContract({ test, expect }: ContractTools): void {
  test("rewrite replaces the current version, and older ones stay as they are", async (store) => {
    await putVersions(store, 3);
    const changes = { description: "new", tags: ["x"], updatedAt: DELETED, expiresAt: DELETED, policy: "{}" };
    const change = rewritten([3], 3, { ...changes, type: "oauth", importedId: 5 });
    await store.rewrite(change, null);
    const [current] = change.versions;
    expect(await store.get(A)).toEqual(current);
    const olderOnes = [2, 1].map((version) => sampleSecret("A", { version, revision: 4, policy: "{}", importedId: 5 }));
    expect(await store.versions(ID_A)).toEqual([current, ...olderOnes.map((one) => ({ ...one, mac: null }))]);
    expect(await store.list()).toEqual([current?.metadata]);
    await putSecret(store, sampleSecret("A", { version: 4, revision: 5 }), { id: ID_A, revision: 4 });
    expect(short(await store.list())).toBe("A4");
  });

  test("rewrite keeps the envelope where only metadata change", async (store) => {
    await putVersions(store, 2);
    const { metadata, envelope } = sampleSecret("A", { version: 2, revision: 3, description: "new" });
    const current = { metadata, envelope, mac: "c0ffee00:another" };
    await store.rewrite({ versions: [current], nonces: [envelope.nonce], revision: 2 }, null);
    expect(await store.versions(ID_A)).toEqual([current, older(sampleSecret("A", { version: 1 }), current)]);
  });

  test("rewrite renames a secret with all its versions, and the old name is free", async (store) => {
    await putVersions(store, 3);
    const change = rewritten([3, 2, 1], 3, { name: B });
    await store.rewrite(change, null);
    const [current, ...olderOnes] = change.versions;
    expect([await store.get(A), await store.get(B)]).toEqual([null, current]);
    expect(await store.versions(ID_A)).toEqual([current, ...olderOnes.map((one) => ({ ...one, mac: null }))]);
    expect(short(await store.list())).toBe("B3");
    expect(short(await store.list({ name: "A", state: "all" }))).toBe("");
    await putSecret(store, sampleSecret("A", { id: OTHER_ID }));
    expect(short(await store.list())).toBe("A1 B3");
  });
}

/** A change with a version that follows, whose envelope is its own. */
function followed(change: SecretRewrite, version: number, changes: Partial<SecretMetadata> = {}): SecretRewrite {
  return { ...change, next: sampleSecret("A", { version, revision: change.revision + 1, ...changes }) };
}

function nextContract(tools: ContractTools): void {
  const { test, expect } = tools;

  test("rewrite renames and adds a version at once, and removes the oldest ones beyond the maximum", async (store) => {
    await putVersions(store, 3);
    const change = followed(rewritten([3, 2, 1], 3, { name: B }), 4, { name: B, description: "new" });
    await store.rewrite(change, null, { maxVersions: 3 });
    const { versions, next } = change;
    const olderOnes = versions.slice(0, 2).map((one) => ({ ...one, mac: null }));
    expect([await store.get(A), await store.get(B)]).toEqual([null, next]);
    expect(await store.versions(ID_A)).toEqual([next, ...olderOnes]);
    expect(short(await store.list())).toBe("B4");
    await putSecret(store, sampleSecret("A", { version: 5, revision: 5, name: B }), { id: ID_A, revision: 4 });
    expect(await versionsOf(store)).toEqual([5, 4, 3, 2]);
  });

  test("rewrite adds a version, or nothing", async (store) => {
    await putVersions(store, 2);
    await putSecret(store, sampleSecret("C"));
    const change = rewritten([2, 1], 2, { name: B });
    const wrong: Partial<SecretMetadata>[] = [
      { name: A },
      { name: B, id: OTHER_ID },
      { name: B, revision: 4 },
      { name: B, deletedAt: DELETED },
    ];
    for (const changes of wrong)
      expect(await refused(tools, store, followed(change, 3, changes))).toBe("VALUE_INVALID");
    expect(await refused(tools, store, followed(change, 2, { name: B }))).toBe("VALUE_INVALID");
    const deleted = rewritten([2, 1], 2, { name: B, deletedAt: DELETED });
    expect(await refused(tools, store, followed(deleted, 3, { name: B }))).toBe("VALUE_INVALID");
    const taken = rewritten([2, 1], 2, { name: C });
    expect(await refused(tools, store, followed(taken, 3, { name: C }))).toBe("SECRET_EXISTS");
    const late = rewritten([2, 1], 1, { name: B });
    expect(await refused(tools, store, followed(late, 3, { name: B }))).toBe("VERSION_CONFLICT");
    expect(await refused(tools, store, followed(change, 3, { name: B }), "one")).toBe("HEADER_CHANGED");
    await store.rewrite(followed(rewritten([2], 2), 3), null);
    expect(await versionsOf(store)).toEqual([3, 2, 1]);
  });
}

function restoreContract({ test, expect }: ContractTools): void {
  test("rewrite deletes, and restores where the name is free", async (store) => {
    await putVersions(store, 2);
    const deleted = sampleSecret("A", { version: 2, revision: 3, deletedAt: DELETED });
    const nonces = [deleted.envelope.nonce];
    await store.rewrite({ versions: [deleted], nonces, revision: 2 }, null);
    expect([await store.get(A), await store.find(ID_A)]).toEqual([null, deleted]);
    expect(short(await store.list({ state: "deleted" }))).toBe("A2");
    expect((await store.versions(ID_A)).map(({ metadata }) => metadata.deletedAt)).toEqual([DELETED, DELETED]);
    const restored = sampleSecret("A", { version: 2, revision: 4 });
    await store.rewrite({ versions: [restored], nonces, revision: 3 }, null);
    expect(await store.get(A)).toEqual(restored);
    expect(await store.versions(ID_A)).toEqual([restored, older(sampleSecret("A", { version: 1 }), restored)]);
    expect(short(await store.list())).toBe("A2");
  });

  test("rewrite restores under another name, and renames one of many deleted secrets of a name", async (store) => {
    await putVersions(store, 1);
    await store.delete(ID_A, DELETED);
    await putSecret(store, sampleSecret("A", { id: OTHER_ID }));
    await store.rewrite(rewritten([1], 1, { name: C, deletedAt: DELETED }), null);
    expect((await store.list({ state: "deleted" })).map(({ name, id }) => name + id)).toEqual([`C${ID_A}`]);
    const { envelope } = sampleSecret("A");
    const restored = { ...sampleSecret("A", { name: C, revision: 3 }), envelope };
    await store.rewrite({ versions: [restored], nonces: [again(1).nonce], revision: 2 }, null);
    expect(short(await store.list())).toBe("A1 C1");
    expect(await store.get(C)).toEqual(restored);
  });
}

/** Tries it and makes sure that nothing has changed. */
async function refused(
  { expect }: ContractTools,
  store: SecretStore,
  change: SecretRewrite,
  header: string | null = null,
): Promise<unknown> {
  const before = await contentOf(store);
  const code = await refusal(store.rewrite(change, header));
  expect(await contentOf(store)).toEqual(before);
  return code;
}

function conflictContract(tools: ContractTools): void {
  const { test, expect } = tools;

  test("rewrite refuses a secret that was changed meanwhile", async (store) => {
    await putVersions(store, 2);
    expect(await refused(tools, store, rewritten([2], 1))).toBe("VERSION_CONFLICT");
    expect(await refused(tools, store, rewritten([2], 3))).toBe("VERSION_CONFLICT");
    expect(await refused(tools, store, rewritten([3], 2))).toBe("VERSION_CONFLICT");
    expect(await refused(tools, store, rewritten([1], 2))).toBe("VERSION_CONFLICT");
    expect(await refused(tools, store, rewritten([2, 1], 2, { id: OTHER_ID }))).toBe("VERSION_CONFLICT");
    await store.purge(ID_A);
    expect(await refused(tools, store, rewritten([2, 1], 2))).toBe("VERSION_CONFLICT");
  });

  test("rewrite refuses where a version is not found or was encrypted again meanwhile", async (store) => {
    await putVersions(store, 3, 2);
    expect(await refused(tools, store, rewritten([3, 2, 1], 3))).toBe("VERSION_CONFLICT");
    const other = (index: number) => {
      const change = rewritten([3, 2], 3);
      return { ...change, nonces: change.nonces.map((nonce, at) => (at === index ? again(9).nonce : nonce)) };
    };
    expect(await refused(tools, store, other(0))).toBe("VERSION_CONFLICT");
    expect(await refused(tools, store, other(1))).toBe("VERSION_CONFLICT");
    const reencrypted = { ...sampleSecret("A", { version: 2, revision: 3 }), envelope: again(2) };
    await store.reencrypt([{ secret: reencrypted, nonce: sampleSecret("A", { version: 2 }).envelope.nonce }], null);
    expect(await refused(tools, store, rewritten([3, 2], 3))).toBe("VERSION_CONFLICT");
    expect(await refusal(store.rewrite(rewritten([3], 3), null))).toBe(null);
  });

  test("rewrite refuses a name that another secret has, but not that of a deleted one", async (store) => {
    await putVersions(store, 1);
    await putSecret(store, sampleSecret("B"));
    expect(await refused(tools, store, rewritten([1], 1, { name: B }))).toBe("SECRET_EXISTS");
    await store.delete(ID_A, DELETED);
    await putSecret(store, sampleSecret("A", { id: OTHER_ID }));
    expect(await refused(tools, store, rewritten([1], 1))).toBe("SECRET_EXISTS");
    expect(await refused(tools, store, rewritten([1], 1, { name: B }))).toBe("SECRET_EXISTS");
    await store.delete(ID_B, DELETED);
    await store.rewrite(rewritten([1], 1, { name: B }), null);
    expect(short(await store.list())).toBe("A1 B1");
    expect(short(await store.list({ state: "deleted" }))).toBe("B1");
  });
}

function refusalContract(tools: ContractTools): void {
  const { test, expect } = tools;

  test("rewrite refuses what was encrypted under another header", async (store) => {
    await putVersions(store, 1);
    await store.writeHeader("one", null);
    expect(await refused(tools, store, rewritten([1], 1), null)).toBe("HEADER_CHANGED");
    expect(await refused(tools, store, rewritten([1], 1), "two")).toBe("HEADER_CHANGED");
    expect(await refusal(store.rewrite(rewritten([1], 1), "one"))).toBe(null);
  });

  test("rewrite refuses what is not a change of one secret", async (store) => {
    await putVersions(store, 2);
    const { versions, nonces, revision } = rewritten([2, 1], 2);
    const [current, former] = versions as [EncryptedSecret, EncryptedSecret];
    const changed = (changes: object) => ({ ...current, metadata: { ...current.metadata, ...changes } });
    const invalid: SecretRewrite[] = [
      { versions: [], nonces: [], revision },
      { versions, nonces: nonces.slice(1), revision },
      { versions: [former, current], nonces: nonces.toReversed(), revision },
      { versions: [current, current], nonces, revision },
      { versions: [current, { ...former, metadata: { ...former.metadata, id: OTHER_ID } }], nonces, revision },
      { versions: [changed({ revision: 2 })], nonces: nonces.slice(0, 1), revision },
      { versions: [changed({ tags: ["\n"] })], nonces: nonces.slice(0, 1), revision },
      { versions: [changed({ name: B })], nonces: nonces.slice(0, 1), revision },
    ];
    for (const [index, change] of invalid.entries()) {
      expect({ index, code: await refused(tools, store, change) }).toEqual({ index, code: "VALUE_INVALID" });
    }
    const name = "../x" as SecretName;
    expect(await refused(tools, store, { versions: [changed({ name })], nonces: nonces.slice(0, 1), revision })).toBe(
      "NAME_INVALID",
    );
  });

  test("of many rewrites of one revision exactly one wins", async (store) => {
    await putVersions(store, 1);
    const writers = Array.from({ length: 20 }, () => store.rewrite(rewritten([1], 1), null));
    const outcomes = await Promise.allSettled(writers);
    expect(outcomes.filter((outcome) => outcome.status === "fulfilled").length).toBe(1);
  });
}
