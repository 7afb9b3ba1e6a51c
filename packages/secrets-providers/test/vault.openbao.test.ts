import { generateKeyPairSync, sign } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ProviderRequest } from "@autokestra/secrets-core";
import { afterAll, describe, expect, it } from "vitest";
import { startOpenBao } from "../../../scripts/servers.mjs";
import type { CallReport } from "../src/http-call.ts";
import { secretProviderContract } from "../src/testing/index.ts";
import { createVaultProvider, type VaultProviderOptions } from "../src/vault.ts";
import { createBaoApi, documentedPolicies } from "./bao-api.ts";
import { soon } from "./soon.ts";

const bao = await startOpenBao();
const folder = mkdtempSync(join(tmpdir(), "autokestra-vault-"));
afterAll(async () => {
  await bao.close();
  rmSync(folder, { recursive: true });
});
const api = createBaoApi(bao);

/** As the root. */
const ROOT: VaultProviderOptions["auth"] = { method: "token", token: bao.token };
const env = { HOME: folder };

/** What one provider answers to some requests, one after the other. */
async function ask(options: Partial<VaultProviderOptions>, ...requests: Partial<ProviderRequest>[]) {
  const provider = createVaultProvider({ address: bao.address, auth: ROOT, env, ...options });
  const answers = [];
  for (const request of requests)
    answers.push(await provider.lookup({ path: "db", format: "json", ...request }, soon()));
  await provider.close();
  return answers;
}

async function askOnce(options: Partial<VaultProviderOptions>, request: Partial<ProviderRequest> = {}) {
  const [answer] = await ask(options, request);
  return answer;
}

async function put(path: string, data: object) {
  await api("POST", `secret/data/${path}`, { data });
}

describe("the contract", async () => {
  await put("contract/db", { user: "u", password: "p" });
  secretProviderContract({
    it,
    expect,
    open: () => createVaultProvider({ address: bao.address, auth: ROOT, env }),
    stored: { path: "contract/db", value: { user: "u", password: "p" } },
    missing: "contract/none",
  });
});

describe("the engine with versions", () => {
  it("gives fields as they are, and each version", async () => {
    await put("db", { user: "one" });
    await put("db", { user: "two", port: 5432, tags: ["a", { b: null }], text: "ä\n" });
    const second = { user: "two", port: 5432, tags: ["a", { b: null }], text: "ä\n" };
    expect(await ask({}, {}, { version: "1" }, { version: "2" }, { version: "3" })).toEqual([
      { status: "found", secret: { value: second, version: "2", expiresAt: null } },
      { status: "found", secret: { value: { user: "one" }, version: "1", expiresAt: null } },
      { status: "found", secret: { value: second, version: "2", expiresAt: null } },
      { status: "notFound", reason: expect.stringMatching(/404\. It is not there/) },
    ]);
  });

  it("tells deleted, destroyed and never existed apart", async () => {
    const at = { path: "life" };
    await put("life", { user: "one" });
    await put("life", { user: "two" });
    await api("DELETE", "secret/data/life");
    expect(await ask({}, at, { ...at, version: "1" })).toMatchObject([
      { status: "notFound", reason: expect.stringMatching(/version 2 was deleted at 2.*Z\.$/) },
      { status: "found", secret: { value: { user: "one" } } },
    ]);
    await api("POST", "secret/undelete/life", { versions: [2] });
    expect(await askOnce({}, at)).toMatchObject({ status: "found", secret: { value: { user: "two" }, version: "2" } });
    await api("POST", "secret/destroy/life", { versions: [2] });
    expect(await askOnce({}, at)).toMatchObject({
      status: "notFound",
      reason: expect.stringMatching(/version 2 is destroyed\.$/),
    });
    await api("DELETE", "secret/metadata/life");
    expect(await askOnce({}, at)).toMatchObject({
      status: "notFound",
      reason: expect.stringMatching(/It is not there/),
    });
  });

  it("has a value that will be deleted, and says when", async () => {
    await api("POST", "secret/metadata/soon", { delete_version_after: "1h" });
    await put("soon", { user: "u" });
    const answer = await askOnce({}, { path: "soon" });
    const expiresAt = answer?.status === "found" ? answer.secret.expiresAt : null;
    expect(Math.abs(Date.parse(expiresAt ?? "") - Date.now() - 3_600_000)).toBeLessThan(60_000);
  });

  it("reads at mounts with slashes, and paths with any characters", async () => {
    await api("POST", "sys/mounts/kv/apps", { type: "kv", options: { version: "2" } });
    await api("POST", `kv/apps/data/${encodeURIComponent("a b?#ä")}/c`, { data: { user: "u" } });
    expect(await askOnce({ mount: "kv/apps" }, { path: "a b?#ä/c" })).toMatchObject({ status: "found" });
  });

  it("says that nothing is mounted there", async () => {
    expect(await askOnce({ mount: "none" })).toMatchObject({
      status: "malformed",
      hint: expect.stringMatching(/mount/),
    });
  });
});

describe("the engine without versions", () => {
  it("gives what is there", async () => {
    await api("POST", "sys/mounts/kv/old", { type: "kv", options: { version: "1" } });
    await api("POST", "kv/old/apps/db", { user: "u" });
    expect(await ask({ mount: "kv/old", version: 1 }, { path: "apps/db" }, { path: "none" })).toMatchObject([
      { status: "found", secret: { value: { user: "u" } } },
      { status: "notFound" },
    ]);
  });

  it("is not taken for the other one", async () => {
    await put("db", { user: "u" });
    expect(await askOnce({ version: 1 })).toMatchObject({ status: "malformed", hint: "Its version is 2, not 1." });
    expect(await askOnce({ mount: "kv/old" }, { path: "apps/db" })).toMatchObject({ status: "notFound" });
  });
});

/** An AppRole whose token may do what the documentation says, and a file with its secret id. */
async function createRole(name: string, role: object = {}) {
  await api("POST", `auth/approle/role/${name}`, { token_policies: ["documented"], ...role });
  const { role_id } = await api("GET", `auth/approle/role/${name}/role-id`);
  const { secret_id } = await api("POST", `auth/approle/role/${name}/secret-id`);
  const secretIdFile = join(folder, name);
  writeFileSync(secretIdFile, `${String(secret_id)}\n`);
  return { method: "approle", roleId: String(role_id), secretIdFile } as const;
}

describe("logins", async () => {
  await api("POST", "sys/auth/approle", { type: "approle" });
  await api("POST", "sys/policies/acl/documented", { policy: documentedPolicies()[0] });
  await put("apps/db", { user: "u" });
  const path = "apps/db";

  it("reads with an AppRole what the policy of the documentation allows, and no more", async () => {
    const auth = await createRole("reader");
    expect(await ask({ auth }, { path }, { path: "apps/none" }, { path: "other/db" })).toMatchObject([
      { status: "found", secret: { value: { user: "u" } } },
      { status: "notFound" },
      { status: "denied", hint: expect.stringMatching(/its policies lack read on secret\/data\/other\/db\.$/) },
    ]);
  });

  it("is denied with a wrong secret id, and with none", async () => {
    const { roleId } = await createRole("wrong");
    const wrong = { method: "approle", roleId, secretId: "11111111-1111-1111-1111-111111111111" } as const;
    expect(await askOnce({ auth: wrong })).toMatchObject({
      status: "denied",
      hint: expect.stringMatching(/secret id/),
    });
    expect(await askOnce({ auth: { method: "approle", roleId } })).toMatchObject({ status: "denied" });
    expect(await askOnce({ auth: { ...wrong, mount: "none" } })).toMatchObject({
      status: "denied",
      hint: expect.stringMatching(/^Check the mount/),
    });
  });

  it("says as whom, and until when; gives its login back at the end", async () => {
    const auth = await createRole("ci", { token_ttl: "20m" });
    const before = await api("LIST", "auth/token/accessors");
    const provider = createVaultProvider({ address: bao.address, auth, env });
    const status = await provider.check(soon());
    expect(status).toMatchObject({ status: "found", secret: { account: "approle (role ci)" } });
    const end = status.status === "found" ? Date.parse(status.secret.expiresAt ?? "") : 0;
    expect(Math.abs(end - Date.now() - 20 * 60_000)).toBeLessThan(60_000);
    await provider.close();
    // Those of other tests end meanwhile.
    const { keys } = await api("LIST", "auth/token/accessors");
    expect(before["keys"]).toEqual(expect.arrayContaining(keys as unknown[]));
  });

  /** Asks again and again until there were two calls of this name, and says which there were. */
  async function askUntil(second: string, auth: VaultProviderOptions["auth"]) {
    const calls: CallReport[] = [];
    const provider = createVaultProvider({ address: bao.address, auth, env, onCall: (call) => calls.push(call) });
    const answers = new Set<string>();
    const count = (call: string) => calls.filter((report) => report.call === call && report.status === "200").length;
    const look = async () => {
      answers.add((await provider.lookup({ path, format: "json" }, soon())).status);
      return count(second);
    };
    await expect.poll(look, { interval: 250 }).toBeGreaterThan(1);
    await provider.close();
    return { answers: [...answers], logins: count("login") };
  }

  it("renews a login whose secret id was good for one use", async () => {
    const auth = await createRole("once", { secret_id_num_uses: 1, token_ttl: "6s", token_max_ttl: "1h" });
    expect(await askUntil("renew", auth)).toEqual({ answers: ["found"], logins: 1 });
  });

  it("logs in anew where the login can last no longer", async () => {
    const auth = await createRole("short", { token_ttl: "2s", token_max_ttl: "3s" });
    expect(await askUntil("login", auth)).toEqual({ answers: ["found"], logins: 2 });
  });

  it("reads a token file again where the token has run out", async () => {
    const create = async () =>
      String((await api("POST", "auth/token/create", { policies: ["documented"] }))["client_token"]);
    const tokenFile = join(folder, "token");
    const first = await create();
    writeFileSync(tokenFile, first);
    const provider = createVaultProvider({ address: bao.address, auth: { method: "token", tokenFile }, env });
    const look = async () => (await provider.lookup({ path, format: "json" }, soon())).status;
    expect(await look()).toBe("found");
    await api("POST", "auth/token/revoke", { token: first });
    writeFileSync(tokenFile, await create());
    expect(await look()).toBe("found");
    await provider.close();
    expect(await askOnce({ auth: { method: "token", token: "s.wrong" } }, { path })).toMatchObject({
      status: "denied",
    });
  });

  it("logs in with a JWT", async () => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    await api("POST", "sys/auth/ci/jwt", { type: "jwt" });
    await api("POST", "auth/ci/jwt/config", {
      jwt_validation_pubkeys: [publicKey.export({ type: "spki", format: "pem" })],
    });
    await api("POST", "auth/ci/jwt/role/deploy", {
      role_type: "jwt",
      user_claim: "sub",
      bound_audiences: ["bao"],
      token_policies: ["documented"],
    });
    const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
    const jwtFor = (aud: string) => {
      const claims = {
        sub: "job-7",
        aud,
        exp: Math.floor(Date.now() / 1000) + 600,
        iat: Math.floor(Date.now() / 1000),
      };
      const text = `${encode({ alg: "ES256" })}.${encode(claims)}`;
      const signature = sign("sha256", Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" });
      return `${text}.${signature.toString("base64url")}`;
    };
    const auth = { method: "jwt", mount: "ci/jwt", role: "deploy", jwtEnv: "CI_JWT" } as const;
    expect(await askOnce({ auth, env: { CI_JWT: jwtFor("bao") } }, { path })).toMatchObject({ status: "found" });
    expect(await askOnce({ auth, env: { CI_JWT: jwtFor("else") } }, { path })).toMatchObject({ status: "denied" });
    const jwtFile = join(folder, "jwt");
    writeFileSync(jwtFile, jwtFor("bao"));
    const provider = createVaultProvider({ address: bao.address, auth: { ...auth, jwtEnv: undefined, jwtFile }, env });
    expect(await provider.check(soon())).toMatchObject({ secret: { account: "ci-jwt-job-7 (role deploy)" } });
    await provider.close();
  });

  it("reads in a namespace, and not beside it", async () => {
    await api("POST", "sys/namespaces/team-a");
    const inTeam = createBaoApi(bao, "team-a");
    await inTeam("POST", "sys/mounts/secret", { type: "kv", options: { version: "2" } });
    await inTeam("POST", "secret/data/apps/db", { data: { user: "of-the-team" } });
    await inTeam("POST", "sys/auth/approle", { type: "approle" });
    await inTeam("POST", "sys/policies/acl/documented", { policy: documentedPolicies()[0] });
    await inTeam("POST", "auth/approle/role/r", {
      token_policies: ["documented"],
      bind_secret_id: false,
      token_bound_cidrs: ["127.0.0.1/32"],
      secret_id_bound_cidrs: ["127.0.0.1/32"],
    });
    const { role_id } = await inTeam("GET", "auth/approle/role/r/role-id");
    const auth = { method: "approle", roleId: String(role_id) } as const;
    expect(await askOnce({ auth, namespace: "team-a" }, { path })).toMatchObject({
      status: "found",
      secret: { value: { user: "of-the-team" } },
    });
    expect(await askOnce({ auth }, { path })).toMatchObject({ status: "denied" });
    expect(await askOnce({ namespace: "none" }, { path })).toMatchObject({ status: "malformed" });
    const provider = createVaultProvider({ address: bao.address, auth, namespace: "team-a", env });
    expect((await provider.check(soon())).status).toBe("found");
    await provider.close();
  });

  // The last one: nothing else is answered while it is sealed.
  it("is unavailable while the server is sealed", async () => {
    const auth = await createRole("sealed");
    const calls: CallReport[] = [];
    const provider = createVaultProvider({ address: bao.address, auth, env, onCall: (call) => calls.push(call) });
    const look = async () => await provider.lookup({ path, format: "json" }, soon());
    expect((await look()).status).toBe("found");
    await api("PUT", "sys/seal");
    expect(await look()).toMatchObject({ status: "unavailable", hint: "The server is sealed, or it is starting." });
    expect(await provider.check(soon())).toMatchObject({ status: "unavailable" });
    expect(await askOnce({ auth }, { path })).toMatchObject({ status: "unavailable" });
    const key = /Unseal Key: (\S+)/.exec(bao.output())?.[1];
    await api("PUT", "sys/unseal", { key });
    await expect.poll(async () => (await look()).status).toBe("found");
    await provider.close();
  });
});

it("has the example of the documentation as a policy", () => {
  expect(readFileSync(new URL("../../../docs/providers/vault.md", import.meta.url), "utf8")).toContain("```hcl");
});
