import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { CallReport } from "../src/http-call.ts";
import { openProvider } from "../src/index.ts";
import type { SeenRequest, SoundAnswer } from "../src/testing/index.ts";
import { createVaultProvider, type VaultProviderOptions, vaultProvider } from "../src/vault.ts";
import { createAnsweringServers, lookIn } from "./answering-servers.ts";
import { describeContract, describeFaults } from "./provider-contracts.ts";
import { soon } from "./soon.ts";

const TOKEN = "canary-token-1c5f";
const SECRET_ID = "canary-secret-id-83";
const VALUE = { user: "u", password: "canary-value" };
const ROLE: VaultProviderOptions["auth"] = { method: "approle", roleId: "role", secretId: SECRET_ID };

const loggedIn = (seconds = 3600, renewable = false) => ({
  body: { auth: { client_token: TOKEN, accessor: "accessor", lease_duration: seconds, renewable } },
});
const versioned = (data: unknown, metadata: object = {}) => ({
  data: { data, metadata: { version: 3, deletion_time: "", destroyed: false, ...metadata } },
});
const NOTHING = { status: 404, body: { errors: [] } };
/** As OpenBao 2.7.2 answers. */
const UPGRADING = {
  status: 400,
  body: {
    errors: [
      "Upgrading from non-versioned to versioned data. This backend will be unavailable for a brief period and will resume service shortly.",
    ],
  },
};

/** A Vault with one secret, one role and one token. */
function answer({ method, path, headers, body }: SeenRequest): SoundAnswer {
  if (path.startsWith("/v1/sys/health")) return { body: { initialized: true } };
  if (path === "/v1/auth/approle/login") {
    return JSON.parse(body).secret_id === SECRET_ID ? loggedIn() : { status: 400, body: { errors: [body] } };
  }
  if (headers["x-vault-token"] !== TOKEN) return { status: 403, body: { errors: ["permission denied"] } };
  if (path === "/v1/auth/token/lookup-self") {
    return { body: { data: { display_name: "approle", expire_time: null, meta: { role_name: "ci" } } } };
  }
  if (path === "/v1/auth/token/revoke-self" && method === "POST") return { status: 204, body: "" };
  return path === "/v1/secret/data/db" ? { body: versioned(VALUE) } : NOTHING;
}

/** A folder that has no token, as the home. */
let home = "";
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "autokestra-vault-"));
});
afterAll(() => rmSync(home, { recursive: true }));

const open = (address: string, options: Partial<VaultProviderOptions> = {}) =>
  createVaultProvider({ address, auth: ROLE, env: { HOME: home }, ...options });

describeContract("the contract", { answer, open, stored: { path: "db", value: VALUE }, missing: "none" });

describeFaults("faults", {
  open: (address, onCall) => open(address, { onCall }),
  answer,
  path: "db",
  canaries: [TOKEN, SECRET_ID, "canary-value"],
  isLogin: ({ path }) => path.endsWith("/login"),
});

/** A server that answers what each test wants, and a provider that asks it. */
describe("against a server that answers as it is told", () => {
  const servers = createAnsweringServers(answer);
  afterEach(() => {
    vi.useRealTimers();
  });

  async function start(
    answers: (request: SeenRequest) => SoundAnswer | null,
    options: Partial<VaultProviderOptions> = {},
  ) {
    const server = await servers.start(answers);
    const calls: CallReport[] = [];
    const provider = open(server.address, { onCall: (call) => calls.push(call), ...options });
    const look = lookIn(provider);
    const paths = () => server.requests.map(({ method, path }) => `${method} ${path}`);
    return { server, provider, look, paths, calls };
  }

  /** What a lookup of `db` answers where the read gets this. */
  async function answerTo(read: SoundAnswer, options: Partial<VaultProviderOptions> = {}) {
    const { provider, look } = await start(({ path }) => (path.startsWith("/v1/secret/") ? read : null), options);
    const given = await look();
    await provider.close();
    return given;
  }

  it("says of a request what Vault wants to know, and asks for the version", async () => {
    const { provider, look, server, paths } = await start(() => null, { namespace: "team-a", mount: "/kv/apps/" });
    await look({ path: "a b/c", version: "7" });
    await provider.close();
    expect(paths()).toEqual([
      "POST /v1/auth/approle/login",
      "GET /v1/kv/apps/data/a%20b/c?version=7",
      "POST /v1/auth/token/revoke-self",
    ]);
    expect(server.requests[1]?.headers).toMatchObject({
      "x-vault-token": TOKEN,
      "x-vault-namespace": "team-a",
      "x-vault-request": "true",
    });
    expect(server.requests[0]?.headers["x-vault-token"]).toBeUndefined();
  });

  it("asks again where an engine is not ready yet", async () => {
    let answers = 0;
    const { provider, look } = await start(({ path }) => {
      return path.includes("/data/") && ++answers === 1 ? UPGRADING : null;
    });
    expect(await look({ path: "db" })).toMatchObject({ status: "found" });
    expect(answers).toBe(2);
    await provider.close();
  });

  it("asks for nothing where a path or a version is none", async () => {
    const { provider, look, paths } = await start(() => null);
    for (const path of ["", "/db", "db/", "a//b"]) expect((await look({ path })).status).toBe("malformed");
    for (const version of ["0", "v1", "1.5", "-1"]) expect((await look({ version })).status).toBe("malformed");
    await provider.close();
    expect(paths()).toEqual([]);
  });

  it.each<[string, SoundAnswer, object]>([
    [
      "a value",
      { body: versioned(VALUE) },
      { status: "found", secret: { value: VALUE, version: "3", expiresAt: null } },
    ],
    [
      "a value that will be deleted",
      { body: versioned(VALUE, { deletion_time: "2999-01-01T00:00:00.123456789Z" }) },
      { status: "found", secret: { expiresAt: "2999-01-01T00:00:00.123Z" } },
    ],
    [
      "never existed",
      NOTHING,
      { status: "notFound", reason: expect.stringMatching(/404\. It is not there, or the token/) },
    ],
    [
      "deleted",
      { status: 404, body: versioned(null, { deletion_time: "2026-01-01T00:00:00Z" }) },
      { status: "notFound", reason: expect.stringMatching(/version 3 was deleted at 2026-01-01T00:00:00Z\.$/) },
    ],
    [
      "destroyed",
      { status: 404, body: versioned(null, { destroyed: true }) },
      { status: "notFound", reason: expect.stringMatching(/version 3 is destroyed\.$/) },
    ],
    [
      "no mount",
      { status: 404, body: { errors: ['no handler for route "secret/data/db". route entry not found.'] } },
      { status: "malformed", reason: expect.stringMatching(/nothing is mounted there$/) },
    ],
    [
      "no namespace",
      { status: 404, body: { errors: ["namespace not found"] } },
      { status: "malformed", reason: expect.stringMatching(/there is no such namespace$/) },
    ],
    ["a proxy's page", { status: 404, body: "<html>" }, { status: "notFound" }],
    ["no shape", { body: { data: { data: ["x"] } } }, { status: "malformed" }],
    ["400", { status: 400, body: { errors: [] } }, { status: "malformed" }],
    ["an engine that is not ready", UPGRADING, { status: "unavailable", hint: expect.stringMatching(/just now/) }],
    [
      "403",
      { status: 403, body: { errors: [] } },
      { status: "denied", hint: "The token is wrong or has run out, or its policies lack read on secret/data/db." },
    ],
    ["412", { status: 412, body: { errors: [] } }, { status: "unavailable" }],
    ["429", { status: 429, body: { errors: [] } }, { status: "unavailable" }],
    ["472", { status: 472, body: { errors: [] } }, { status: "unavailable", hint: expect.stringMatching(/standby/) }],
    ["473", { status: 473, body: { errors: [] } }, { status: "unavailable", hint: expect.stringMatching(/standby/) }],
    ["500", { status: 500, body: { errors: [] } }, { status: "unavailable" }],
    ["502", { status: 502, body: { errors: [] } }, { status: "unavailable" }],
    ["503", { status: 503, body: { errors: [] } }, { status: "unavailable", hint: expect.stringMatching(/sealed/) }],
  ])("reads a version: %s", async (_, read, expected) => {
    expect(await answerTo(read)).toMatchObject(expected);
  });

  it.each<[string, SoundAnswer, object]>([
    ["a value", { body: { data: VALUE } }, { status: "found", secret: { value: VALUE } }],
    ["never existed", NOTHING, { status: "notFound" }],
    [
      "an engine with versions",
      { status: 404, body: { data: null, warnings: ["Invalid path for a versioned K/V secrets engine. See"] } },
      { status: "malformed", hint: "Its version is 2, not 1." },
    ],
    ["another warning", { status: 404, body: { data: null, warnings: ["x"] } }, { status: "notFound" }],
    ["no shape", { body: { data: null } }, { status: "malformed" }],
    ["403", { status: 403, body: {} }, { status: "denied", hint: expect.stringMatching(/read on secret\/db\.$/) }],
  ])("reads where there are no versions: %s", async (_, read, expected) => {
    expect(await answerTo(read, { version: 1 })).toMatchObject(expected);
  });

  it("has versions where the engine has", () => {
    expect(open("https://vault.example").capabilities.versions).toBe(true);
    expect(open("https://vault.example", { version: 1 }).capabilities.versions).toBe(false);
  });

  const jwtFile = () => {
    const path = join(home, "jwt");
    writeFileSync(path, "canary-jwt\n");
    return path;
  };
  it.each<[string, () => VaultProviderOptions["auth"], string, object]>([
    ["AppRole without a secret id", () => ({ method: "approle", roleId: "r" }), "approle", { role_id: "r" }],
    [
      "AppRole by a variable",
      () => ({ method: "approle", roleId: "r", secretIdEnv: "ID", mount: "a/b/" }),
      "a/b",
      { role_id: "r", secret_id: "canary-env" },
    ],
    [
      "AppRole by a file",
      () => ({ method: "approle", roleId: "r", secretIdFile: jwtFile() }),
      "approle",
      { role_id: "r", secret_id: "canary-jwt" },
    ],
    [
      "Kubernetes",
      () => ({ method: "kubernetes", role: "r", jwtFile: jwtFile() }),
      "kubernetes",
      { role: "r", jwt: "canary-jwt" },
    ],
    ["JWT by a variable", () => ({ method: "jwt", jwtEnv: "ID" }), "jwt", { jwt: "canary-env" }],
    [
      "JWT by a file",
      () => ({ method: "jwt", role: "r", jwtFile: jwtFile() }),
      "jwt",
      { role: "r", jwt: "canary-jwt" },
    ],
    ["JWT as it is", () => ({ method: "jwt", jwt: "canary", mount: "ci" }), "ci", { jwt: "canary" }],
  ])("logs in with %s", async (_, auth, mount, json) => {
    const { provider, look, server } = await start(({ path }) => (path.endsWith("/login") ? loggedIn() : null), {
      auth: auth(),
      env: { HOME: home, ID: "canary-env" },
    });
    expect((await look()).status).toBe("found");
    await provider.close();
    expect(server.requests[0]).toMatchObject({ method: "POST", path: `/v1/auth/${mount}/login` });
    expect(JSON.parse(server.requests[0]?.body ?? "")).toEqual(json);
  });

  it.each<[string, VaultProviderOptions["auth"]]>([
    ["a secret id", { method: "approle", roleId: "r", secretIdEnv: "NONE" }],
    ["a service account", { method: "kubernetes", role: "r" }],
    ["a JWT", { method: "jwt", jwtFile: "/none" }],
    ["a token", { method: "token", tokenEnv: "NONE" }],
    ["anything", undefined],
  ])("is denied, and asks for nothing, without %s", async (_, auth) => {
    const { provider, look, paths } = await start(() => null, { auth });
    expect(await look()).toMatchObject({ status: "denied" });
    await provider.close();
    expect(paths()).toEqual([]);
  });

  it.each([400, 401, 403])("takes %i of a login for a refusal", async (status) => {
    const { provider, look, paths } = await start(({ path }) =>
      path.endsWith("/login") ? { status, body: {} } : null,
    );
    const given = await look();
    expect(given).toMatchObject({ status: "denied", hint: expect.stringMatching(/^Check the mount, the role id/) });
    expect(await look()).toEqual(given);
    await provider.close();
    expect(paths()).toEqual(["POST /v1/auth/approle/login"]);
  });

  it.each<[string, SoundAnswer, string]>([
    ["no such mount", { status: 404, body: { errors: ["no handler for route"] } }, "malformed"],
    ["404", NOTHING, "malformed"],
    [
      "no token",
      { body: { auth: { client_token: "", accessor: "", lease_duration: 0, renewable: false } } },
      "malformed",
    ],
    ["sealed", { status: 503, body: {} }, "unavailable"],
  ])("answers %s of a login as what it is", async (_, said, expected) => {
    const { provider, look } = await start(({ path }) => (path.endsWith("/login") ? said : null));
    expect((await look()).status).toBe(expected);
    await provider.close();
  });

  it("takes a token from where it is told to, else from the environment, else from the home", async () => {
    const home2 = mkdtempSync(join(home, "h"));
    const { server } = await start(() => null);
    const tokenOf = async (auth: VaultProviderOptions["auth"], env: NodeJS.ProcessEnv) => {
      const provider = open(server.address, { auth, env });
      await provider.lookup({ path: "db", format: "json" }, soon());
      await provider.close();
      return server.requests.at(-1)?.headers["x-vault-token"];
    };
    writeFileSync(join(home2, ".vault-token"), "from-home\n");
    const env = { HOME: home2, BAO_TOKEN: "from-bao", VAULT_TOKEN: "from-vault", MINE: "mine" };
    expect(await tokenOf({ method: "token", token: "given" }, env)).toBe("given");
    expect(await tokenOf({ method: "token", tokenEnv: "MINE" }, env)).toBe("mine");
    expect(await tokenOf({ method: "token" }, env)).toBe("from-bao");
    expect(await tokenOf(undefined, { ...env, BAO_TOKEN: "" })).toBe("from-vault");
    expect(await tokenOf(undefined, { HOME: home2 })).toBe("from-home");
    // What others have made is not revoked.
    expect(server.requests.filter(({ path }) => path.includes("revoke"))).toEqual([]);
  });

  it("takes from the environment what its options do not say", async () => {
    const { server } = await start(() => null);
    const env = {
      HOME: home,
      VAULT_ADDR: server.address,
      VAULT_NAMESPACE: "ns",
      BAO_CLIENT_TIMEOUT: "1m30s",
      VAULT_TOKEN: TOKEN,
    };
    const { provider } = openProvider(vaultProvider, { type: "vault" }, { id: "v", env });
    expect(provider.timeoutSeconds).toBe(60);
    expect((await provider.lookup({ path: "db", format: "json" }, soon())).status).toBe("found");
    expect(server.requests[0]?.headers["x-vault-namespace"]).toBe("ns");
    await provider.close();
    const withCa = createVaultProvider({ env: { ...env, VAULT_CACERT: "/none.pem", VAULT_CLIENT_TIMEOUT: "7" } });
    expect(await withCa.lookup({ path: "db", format: "json" }, soon())).toMatchObject({
      status: "denied",
      hint: "Check /none.pem.",
    });
    await withCa.close();
  });

  it("renews its login as long as that helps, and then logs in anew", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    let end = 100;
    const { provider, look, paths } = await start(({ path }) => {
      if (path.endsWith("/renew-self")) return end === 0 ? { status: 403, body: {} } : loggedIn(end, true);
      return path.endsWith("/login") ? loggedIn(100, true) : null;
    });
    const seconds = (count: number) => vi.setSystemTime(Date.now() + count * 1000);
    await look();
    seconds(80);
    await look();
    // The last one before its longest time: it ends when it would have ended anyway.
    end = 20;
    seconds(80);
    await look();
    // Its policy does not let it be renewed.
    end = 0;
    seconds(80);
    await look();
    // It has run out before anybody asked again.
    seconds(101);
    await look();
    vi.useRealTimers();
    await provider.close();
    const made = paths().filter((path) => !path.startsWith("GET"));
    const [login, renew] = ["POST /v1/auth/approle/login", "POST /v1/auth/token/renew-self"];
    expect(made).toEqual([login, renew, renew, login, renew, login, login, "POST /v1/auth/token/revoke-self"]);
  });

  it("logs in anew where its token was revoked, and not where a permission is missing", async () => {
    let alive = "first";
    const { provider, look, paths } = await start(({ path, headers }) => {
      const token = headers["x-vault-token"];
      if (path.endsWith("/login")) {
        return { body: { auth: { client_token: alive, accessor: "a", lease_duration: 100, renewable: false } } };
      }
      if (token !== alive || path.endsWith("/closed")) return { status: 403, body: {} };
      return { body: path.includes("secret") ? versioned(VALUE) : {} };
    });
    expect((await look()).status).toBe("found");
    expect((await look({ path: "closed" })).status).toBe("denied");
    alive = "second";
    expect((await look()).status).toBe("found");
    await provider.close();
    const [login, self, read] = [
      "POST /v1/auth/approle/login",
      "GET /v1/auth/token/lookup-self",
      "GET /v1/secret/data/db",
    ];
    const first = [login, read, "GET /v1/secret/data/closed", self];
    expect(paths()).toEqual([...first, read, self, login, read, "POST /v1/auth/token/revoke-self"]);
  });

  it("keeps a batch token to itself: it cannot be given back", async () => {
    const batch = { auth: { client_token: TOKEN, accessor: "", lease_duration: 100, renewable: false } };
    const { provider, look, paths } = await start(({ path }) => (path.endsWith("/login") ? { body: batch } : null));
    await look();
    await provider.close();
    expect(paths()).toEqual(["POST /v1/auth/approle/login", "GET /v1/secret/data/db"]);
  });

  it("checks without a secret: says as whom, and until when", async () => {
    const until = { display_name: "ci", expire_time: "2999-01-01T00:00:00Z", renewable: true };
    const { provider, paths, server } = await start(
      ({ path }) => (path.endsWith("lookup-self") ? { body: { data: until } } : null),
      { namespace: "team-a" },
    );
    expect(await provider.check(soon())).toEqual({
      status: "found",
      secret: { account: "ci", expiresAt: "2999-01-01T00:00:00.000Z" },
    });
    await provider.close();
    expect(paths()[0]).toBe("GET /v1/sys/health?standbyok=true");
    expect(server.requests.map(({ headers }) => headers["x-vault-namespace"])).toEqual([
      undefined,
      "team-a",
      "team-a",
      "team-a",
    ]);
    const { provider: other } = await start(() => null);
    expect(await other.check(soon())).toEqual({
      status: "found",
      secret: { account: "approle (role ci)", expiresAt: undefined },
    });
    await other.close();
  });

  it.each<[string, string, SoundAnswer, string]>([
    ["a server that is sealed", "sys/health", { status: 503, body: {} }, "unavailable"],
    ["one that is not initialized", "sys/health", { status: 501, body: {} }, "unavailable"],
    ["a login that is refused", "/login", { status: 400, body: {} }, "denied"],
    ["a token that may not look itself up", "/lookup-self", { status: 403, body: {} }, "denied"],
    ["an answer without a name", "/lookup-self", { body: { data: {} } }, "malformed"],
  ])("checks %s", async (_, place, said, expected) => {
    const { provider } = await start(({ path }) => (path.includes(place) ? said : null));
    expect((await provider.check(soon())).status).toBe(expected);
    await provider.close();
  });

  it("checks a server that is not there", async () => {
    const provider = open("http://127.0.0.1:9");
    expect((await provider.check(soon())).status).toBe("unavailable");
    expect((await provider.leases?.canCreate("database/creds/r", soon()))?.status).toBe("unavailable");
    await provider.close();
  });
});

describe("options", () => {
  const error = (options: object, env = {}) => {
    try {
      openProvider(vaultProvider, { type: "vault", address: "https://vault.example", ...options }, { id: "v", env });
      return null;
    } catch (thrown) {
      return String(thrown);
    }
  };

  it("takes what the documentation shows", () => {
    for (const auth of [
      { method: "token", tokenFile: "/run/token" },
      { method: "approle", roleId: "r", secretIdFile: "/run/id" },
      { method: "kubernetes", role: "r" },
      { method: "jwt", role: "r", jwtEnv: "CI_JWT" },
    ]) {
      expect(error({ auth, namespace: "a/b", mount: "kv/apps", version: 1, path: "apps/{name}" })).toBeNull();
    }
  });

  it("refuses what is none", () => {
    expect(error({ auth: { method: "approle" } })).toMatch(/auth.roleId/);
    expect(error({ auth: { method: "userpass" } })).toMatch(/auth.method/);
    expect(error({ auth: { method: "token", tokenfile: "x" } })).toMatch(/auth: .*tokenfile/);
    expect(error({ version: 3 })).toMatch(/version/);
    expect(error({ namespace: "a b" })).toMatch(/namespace/);
    expect(error({}, { VAULT_NAMESPACE: "ä" })).toMatch(/namespace/);
    expect(error({}, { VAULT_CLIENT_TIMEOUT: "soon" })).toMatch(/VAULT_CLIENT_TIMEOUT/);
    expect(error({}, { VAULT_CLIENT_TIMEOUT: "0" })).toBeNull();
    expect(() => createVaultProvider({ env: {} })).toThrow(/no address/);
  });
});
