import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InfisicalSDK } from "@infisical/sdk";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { openProvider } from "../src/index.ts";
import { createInfisicalProvider, type InfisicalProviderOptions, infisicalProvider } from "../src/infisical.ts";
import { type SeenRequest, type SoundAnswer, startTestServer, type TestServer } from "../src/testing/index.ts";
import { describeContract, describeFaults } from "./provider-contracts.ts";
import { soon } from "./soon.ts";
import { type InfisicalStub, infisicalServer } from "./stubs/infisical.ts";

const TOKEN = "canary-token-1c5f";
const SECRET = "canary-client-secret";
const DB = '{"user":"u","password":"canary-value"}';
const STUB: InfisicalStub = {
  clientId: "client",
  clientSecret: SECRET,
  token: TOKEN,
  projectId: "p1",
  secrets: { "prod:/DB": ["canary-old", DB], "prod:apps/web/KEY": ["canary-key"], "prod:/HIDDEN": ["canary-hidden"] },
  hidden: ["prod:/HIDDEN"],
  forbidden: ["dev"],
};
const CLIENT = { projectId: "p1", environment: "prod", clientId: "client", clientSecret: SECRET, env: {} };
const open = (address: string, options: Partial<InfisicalProviderOptions> = {}) =>
  createInfisicalProvider({ address, ...CLIENT, ...options });
const isLogin = ({ path }: SeenRequest) => path.endsWith("/login");
/** A sound server for each provider: a token that one gives back would be refused to the next one. */
const answer = (request: SeenRequest) => infisicalServer(STUB)(request);

for (const versions of [[3, 4], [3], [4]] as (3 | 4)[][]) {
  describeContract(`the contract, with the versions ${JSON.stringify(versions)} of the API`, {
    answer: (request) => infisicalServer({ ...STUB, versions })(request),
    open,
    stored: { path: "DB", value: DB },
    missing: "NONE",
  });
}

describeFaults("faults", {
  open: (address, onCall) => open(address, { onCall }),
  answer,
  path: "DB",
  canaries: [TOKEN, SECRET, "canary-value"],
  isLogin,
});

describe("createInfisicalProvider", () => {
  const servers: TestServer[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
  });

  async function start(respond: (request: SeenRequest) => SoundAnswer = infisicalServer(STUB)) {
    const server = await startTestServer(respond);
    servers.push(server);
    return server;
  }

  async function look(
    path: string,
    options: Partial<InfisicalProviderOptions> = {},
    version?: string,
    respond?: (request: SeenRequest) => SoundAnswer,
  ) {
    const server = await start(respond);
    const provider = open(server.address, options);
    const given = await provider.lookup({ path, version, format: "json" }, soon());
    await provider.close();
    return { given, paths: server.requests.map((request) => request.path.replace(/\?.*/, "")) };
  }

  it.each<[string, string, Partial<InfisicalProviderOptions>, string | undefined, unknown]>([
    ["with its version", "DB", {}, undefined, { value: DB, version: "2" }],
    ["of an older version", "DB", {}, "1", { value: "canary-old", version: "1" }],
    ["in a folder", "apps/web/KEY", {}, undefined, { value: "canary-key", version: "1" }],
    [
      "in the folder that paths begin at",
      "web/KEY",
      { folder: "/apps/" },
      undefined,
      { value: "canary-key", version: "1" },
    ],
  ])("gives a secret %s", async (_what, path, options, version, secret) => {
    expect((await look(path, options, version)).given).toEqual({ status: "found", secret });
  });

  it.each<[string, string, Partial<InfisicalProviderOptions>, string | undefined, string, string]>([
    ["that never existed", "NONE", {}, undefined, "notFound", "404 NotFound. Check environment and folder too."],
    ["of a version that never existed", "DB", {}, "3", "notFound", "404 NotFound"],
    ["of a version that is no number", "DB", {}, "latest", "malformed", "latest is not a version"],
    ["outside of its folder", "../DB", { folder: "apps" }, undefined, "malformed", "../DB is not a path of a secret"],
    ["whose value is hidden", "HIDDEN", {}, undefined, "denied", "the value is hidden"],
    [
      "of an environment that may not be seen",
      "DB",
      { environment: "dev" },
      undefined,
      "denied",
      "403 PermissionDenied",
    ],
    ["of a project that is not there", "DB", { projectId: "p2" }, undefined, "malformed", "there is no such project"],
    [
      "with a wrong client secret",
      "DB",
      { clientSecret: "canary-wrong" },
      undefined,
      "denied",
      "401, the login is refused",
    ],
    [
      "without a client secret",
      "DB",
      { clientSecret: undefined, clientSecretEnv: "NONE" },
      undefined,
      "denied",
      "there is no token in NONE",
    ],
  ])("answers for a secret %s", async (_what, path, options, version, status, reason) => {
    const { given } = await look(path, options, version);
    expect(given).toMatchObject({ status, reason: expect.stringContaining(reason) });
    expect(JSON.stringify(given)).not.toContain("canary");
  });

  it("asks a server without version 3 of the API for version 4, and remembers that", async () => {
    const server = await start(infisicalServer({ ...STUB, versions: [4] }));
    const provider = open(server.address);
    for (const path of ["DB", "NONE", "DB"]) await provider.lookup({ path, format: "json" }, soon());
    await provider.close();
    expect(server.requests.map(({ path }) => path.replace(/\?.*/, "").slice(4))).toEqual([
      "/v1/auth/universal-auth/login",
      "/v3/secrets/raw/DB",
      "/v4/secrets/DB",
      "/v4/secrets/NONE",
      "/v4/secrets/DB",
      "/v1/auth/token/revoke",
    ]);
  });

  it("does not remember that of a server that has neither", async () => {
    const server = await start(infisicalServer({ ...STUB, versions: [] }));
    const provider = open(server.address);
    const lookups = [1, 2].map(async () => await provider.lookup({ path: "DB", format: "json" }, soon()));
    expect(await Promise.all(lookups)).toMatchObject([{ status: "notFound" }, { status: "notFound" }]);
    await provider.lookup({ path: "DB", format: "json" }, soon());
    expect(server.requests.at(-2)?.path).toContain("/api/v3/");
    await provider.close();
  });

  it("gives back the token that it has logged in for, and no other", async () => {
    const own = await look("DB");
    expect(own.paths.at(-1)).toBe("/api/v1/auth/token/revoke");
    const { given, paths } = await look("DB", { clientId: undefined, token: TOKEN });
    expect([given.status, paths]).toEqual(["found", ["/api/v3/secrets/raw/DB"]]);
  });

  it("is closed also where the token cannot be given back", async () => {
    const { given } = await look("DB", {}, undefined, (request) =>
      request.path.endsWith("/revoke") ? { status: 500, body: {} } : answer(request),
    );
    expect(given.status).toBe("found");
  });

  it("logs in once for all, and once more where the token is refused", async () => {
    let token = TOKEN;
    const server = await start((request) => infisicalServer({ ...STUB, token, expiresIn: 0 })(request));
    const provider = open(server.address);
    const lookup = async () => (await provider.lookup({ path: "DB", format: "json" }, soon())).status;
    expect(await Promise.all([lookup(), lookup(), lookup()])).toEqual(["found", "found", "found"]);
    token = "canary-second";
    expect(await lookup()).toBe("found");
    expect(server.requests.filter(isLogin)).toHaveLength(2);
    await provider.close();
  });

  it.each<[string, SoundAnswer, string]>([
    ["a token that no header can hold", { body: { accessToken: "canary\n", expiresIn: 1 } }, "malformed"],
    ["no login, with a refusal", { status: 400, body: {} }, "denied"],
    ["no login, for now", { status: 503, body: {} }, "unavailable"],
  ])("answers where there is %s", async (_what, wrong, status) => {
    const { given } = await look("DB", {}, undefined, (request) => (isLogin(request) ? wrong : answer(request)));
    expect(given).toMatchObject({ status });
    expect(JSON.stringify(given)).not.toContain("canary");
  });

  it.each<[string, SoundAnswer, string]>([
    ["a server that is up", { body: { message: "Ok" } }, "found"],
    ["a server that is not", { status: 503, body: {} }, "unavailable"],
    ["a page for people", { body: "<html>" }, "malformed"],
  ])("says of %s what it is, in a check", async (_what, state, status) => {
    const server = await start((request) => (request.path === "/api/status" ? state : answer(request)));
    const provider = open(server.address);
    expect((await provider.check(soon())).status).toBe(status);
    await provider.close();
    const refused = open(server.address, { clientSecret: "wrong" });
    expect((await refused.check(soon())).status).toBe("denied");
    await refused.close();
  });

  it("reads the client secret from a variable or a file, as it is configured", async () => {
    const folder = mkdtempSync(join(tmpdir(), "autokestra-infisical-"));
    const file = join(folder, "secret");
    writeFileSync(file, `${SECRET}\n`);
    for (const place of [{ clientSecretEnv: "S" }, { clientSecretFile: file }]) {
      const { address } = await start();
      const configuration = {
        type: "infisical",
        address,
        projectId: "p1",
        environment: "prod",
        clientId: "client",
        ...place,
      };
      const { provider } = openProvider(infisicalProvider, configuration, { id: "i", env: { S: SECRET } });
      expect((await provider.lookup({ path: "DB", format: "json" }, soon())).status).toBe("found");
      await provider.close();
    }
    rmSync(folder, { recursive: true });
  });

  it("asks the cloud of Infisical by default, and refuses two logins at once", () => {
    expect(createInfisicalProvider(CLIENT)).toMatchObject({ id: "infisical", type: "infisical" });
    expect(() => createInfisicalProvider({ ...CLIENT, tokenEnv: "T" })).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID" }),
    );
    expect(() => openProvider(infisicalProvider, { type: "infisical" }, { id: "i", env: {} })).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID" }),
    );
  });
});

describe("the vendor's client against the stub", async () => {
  const server = await startTestServer(answer);
  afterAll(async () => await server.close());
  const client = async (clientSecret = SECRET) =>
    await new InfisicalSDK({ siteUrl: server.address })
      .auth()
      .universalAuth.login({ clientId: "client", clientSecret });
  const get = async (secretName: string, more: object = {}) =>
    await (await client()).secrets().getSecret({ secretName, projectId: "p1", environment: "prod", ...more });

  it("logs in", async () => {
    expect((await client()).auth().getAccessToken()).toBe(TOKEN);
  });
  it("gets a secret, with its version", async () => {
    expect(await get("DB", { secretPath: "/" })).toMatchObject({
      secretValue: DB,
      version: 2,
      secretValueHidden: false,
    });
  });
  it("gets an older version", async () => {
    expect(await get("DB", { version: 1 })).toMatchObject({ secretValue: "canary-old", version: 1 });
  });
  it("gets a secret in a folder", async () => {
    expect(await get("KEY", { secretPath: "/apps/web" })).toMatchObject({ secretValue: "canary-key" });
  });
  it("gets a mask where it does not ask for the value", async () => {
    expect(await get("DB", { viewSecretValue: false })).toMatchObject({ secretValueHidden: true });
  });
  it.each<[string, number, () => Promise<unknown>]>([
    ["a wrong client secret", 401, async () => await client("wrong")],
    ["a secret that is not there", 404, async () => await get("NONE")],
    ["a project that is not there", 404, async () => await get("DB", { projectId: "p2" })],
    ["an environment that it may not see", 403, async () => await get("DB", { environment: "dev" })],
  ])("refuses %s", async (_what, status, call) => {
    await expect(call()).rejects.toThrow(`StatusCode=${status}`);
  });
});
