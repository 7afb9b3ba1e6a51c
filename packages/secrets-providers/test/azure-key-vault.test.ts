import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ProviderRequest } from "@autokestra/secrets-core";
import { temporaryFolder } from "@autokestra/test-kit";
import { SecretClient } from "@azure/keyvault-secrets";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import {
  type AzureKeyVaultProviderOptions,
  azureKeyVaultProvider,
  createAzureKeyVaultProvider,
} from "../src/azure-key-vault.ts";
import { openProvider } from "../src/index.ts";
import { type SeenRequest, type SoundAnswer, startFaultServer, startTestServer } from "../src/testing/index.ts";
import { createAnsweringServers, lookIn } from "./answering-servers.ts";
import { describeContract, describeFaults } from "./provider-contracts.ts";
import { soon } from "./soon.ts";
import { azureError, CLIENT_ID, CLIENT_SECRET, createAzureStub, TENANT, TOKEN } from "./stubs/azure-key-vault.ts";

const VALUE = '{"user":"u","password":"canary-value"}';
const [OLD, NEW] = ["0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"] as const;
const stub = createAzureStub({
  db: [
    { value: "old", version: OLD },
    { value: VALUE, version: NEW },
  ],
  disabled: [{ value: "off", version: OLD, attributes: { enabled: false } }],
  ending: [{ value: "soon", version: OLD, attributes: { exp: 32503680000 } }],
  future: [{ value: "later", version: OLD, attributes: { nbf: 32503680000 } }],
  past: [{ value: "now", version: OLD, attributes: { nbf: 1 } }],
});
const folder = temporaryFolder(afterAll);

const open = (address: string, options: Partial<AzureKeyVaultProviderOptions> = {}) =>
  createAzureKeyVaultProvider({
    address,
    auth: {
      method: "clientSecret",
      tenantId: TENANT,
      clientId: CLIENT_ID,
      clientSecret: CLIENT_SECRET,
      authority: address,
    },
    env: {},
    ...options,
  });

const servers = createAnsweringServers(stub);
afterEach(() => {
  vi.unstubAllEnvs();
  vi.doUnmock("@azure/identity");
});

async function start(
  answers: (request: SeenRequest) => SoundAnswer | null,
  options: Partial<AzureKeyVaultProviderOptions> = {},
) {
  const server = await servers.start(answers);
  const provider = open(server.address, options);
  const look = lookIn(provider);
  return { server, provider, look };
}

describeContract("the contract", { answer: stub, open, stored: { path: "db", value: VALUE }, missing: "none" });

const isLogin = ({ path }: SeenRequest) => path.endsWith("/token");

describeFaults("faults", {
  open: (address, onCall) => open(address, { onCall }),
  answer: stub,
  path: "db",
  canaries: [TOKEN, CLIENT_SECRET, "canary-value"],
  isLogin,
});

describe("Azure's own client, against the stub", () => {
  async function judge<Result>(run: (client: SecretClient) => Promise<Result>): Promise<Result> {
    // It sends tokens over TLS alone. This fault is a sound server, whose certificate nobody knows.
    const server = await startFaultServer("self-signed TLS", stub);
    servers.add(server);
    vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
    const getToken = async () => await Promise.resolve({ token: TOKEN, expiresOnTimestamp: Date.now() + 3_600_000 });
    const client = new SecretClient(
      server.address,
      { getToken },
      { disableChallengeResourceVerification: true, serviceVersion: "7.4", retryOptions: { maxRetries: 0 } },
    );
    return await run(client);
  }

  it("reads the newest version, and another one", async () => {
    const newest = await judge(async (client) => await client.getSecret("db"));
    expect(newest).toMatchObject({ name: "db", value: VALUE, properties: { version: NEW, enabled: true } });
    expect(await judge(async (client) => await client.getSecret("db", { version: OLD }))).toMatchObject({
      value: "old",
    });
  });

  it("reads when one ends", async () => {
    const { properties } = await judge(async (client) => await client.getSecret("ending"));
    expect(properties.expiresOn).toEqual(new Date("3000-01-01"));
  });

  it.each<[string, number, string]>([
    ["none", 404, "SecretNotFound"],
    ["disabled", 403, "Forbidden"],
  ])("is refused %s", async (name, statusCode, code) => {
    await expect(judge(async (client) => await client.getSecret(name))).rejects.toMatchObject({ statusCode, code });
  });

  it("lists nothing", async () => {
    expect((await judge(async (client) => await client.listPropertiesOfSecrets().next())).done).toBe(true);
  });
});

describe("what is read", () => {
  it.each<[string, Partial<ProviderRequest>, object]>([
    ["the newest version", {}, { status: "found", secret: { value: VALUE, version: NEW, expiresAt: null } }],
    ["another version", { version: OLD }, { status: "found", secret: { value: "old", version: OLD } }],
    ["one that ends", { path: "ending" }, { status: "found", secret: { expiresAt: "3000-01-01T00:00:00.000Z" } }],
    ["one that is valid by now", { path: "past" }, { status: "found" }],
    [
      "one that is not valid yet",
      { path: "future" },
      { status: "notFound", reason: expect.stringMatching(/before 3000-01-01/) },
    ],
    [
      "a disabled one",
      { path: "disabled" },
      { status: "notFound", reason: expect.stringMatching(/the version is disabled\.$/) },
    ],
    [
      "nothing",
      { path: "none" },
      { status: "notFound", reason: expect.stringMatching(/404 SecretNotFound\. It was never/) },
    ],
    ["no such version", { version: "abc" }, { status: "notFound" }],
    [
      "a name that is none",
      { path: "DB_PASSWORD" },
      { status: "malformed", hint: expect.stringMatching(/bind the name/) },
    ],
    ["a version that is none", { version: "../x" }, { status: "malformed" }],
  ])("%s", async (_, request, expected) => {
    const { provider, look } = await start(() => null);
    expect(await look(request)).toMatchObject(expected);
    await provider.close();
  });

  const bodyOf = (attributes: object, id = "x") => ({ body: { value: "v", id, attributes } });
  it.each<[string, SoundAnswer, object]>([
    [
      "no attributes in them",
      bodyOf({}),
      { status: "found", secret: { value: "v", version: undefined, expiresAt: null } },
    ],
    ["a disabled version", bodyOf({ enabled: false }), { status: "notFound" }],
    ["a time that is none", bodyOf({ exp: 1e300 }), { status: "found", secret: { expiresAt: null } }],
    [
      "a beginning that is none",
      bodyOf({ nbf: 1e300 }),
      { status: "notFound", reason: expect.stringMatching(/a later time\.$/) },
    ],
    ["no shape", { body: { value: 1 } }, { status: "malformed" }],
    ["400", azureError(400, "BadParameter"), { status: "malformed" }],
    [
      "a policy",
      azureError(403, "Forbidden", "ForbiddenByPolicy"),
      { status: "denied", hint: expect.stringMatching(/permission get/) },
    ],
    [
      "a role",
      azureError(403, "Forbidden", "ForbiddenByRbac"),
      { status: "denied", hint: expect.stringMatching(/Secrets User/) },
    ],
    [
      "a firewall",
      azureError(403, "Forbidden", "ForbiddenByFirewall"),
      { status: "denied", hint: expect.stringMatching(/firewall/) },
    ],
    ["another 403", azureError(403, "canary code"), { status: "denied", reason: expect.stringMatching(/: 403$/) }],
    ["429", azureError(429, "Throttled"), { status: "unavailable" }],
    ["503", { status: 503, body: "<html>" }, { status: "unavailable" }],
  ])("where the answer has %s", async (_, read, expected) => {
    const { provider, look } = await start(({ path }) => (path.startsWith("/secrets/") ? read : null));
    const answer = await look();
    await provider.close();
    expect(answer).toMatchObject(expected);
    expect(JSON.stringify(answer)).not.toContain("canary");
  });

  it("is asked with the version of the API, and nothing that a name could add", async () => {
    const { provider, look, server } = await start(() => null);
    await look({ version: OLD });
    await provider.close();
    expect(server.requests.at(-1)?.path).toBe(`/secrets/db/${OLD}?api-version=7.4`);
  });
});

describe("a check", () => {
  it.each<[string, SoundAnswer | null, string]>([
    ["everything", null, "found"],
    ["no permission", azureError(403, "Forbidden", "ForbiddenByPolicy"), "found"],
    ["a firewall", azureError(403, "Forbidden", "ForbiddenByFirewall"), "denied"],
    ["an outage", azureError(503, "Unavailable"), "unavailable"],
  ])("with %s", async (_, read, status) => {
    const { provider, server } = await start(({ path }) => (path.startsWith("/secrets?") ? read : null));
    expect((await provider.check(soon())).status).toBe(status);
    await provider.close();
    expect(server.requests.filter(({ path }) => path.startsWith("/secrets/"))).toEqual([]);
  });

  it("with a login that is refused", async () => {
    const { provider } = await start(() => null, { auth: { method: "token", token: "wrong" } });
    expect(await provider.check(soon())).toMatchObject({
      status: "denied",
      hint: expect.stringMatching(/another tenant/),
    });
    await provider.close();
  });
});

describe("logins with a client secret", () => {
  const secretFile = join(folder, "client-secret");
  writeFileSync(secretFile, `${CLIENT_SECRET}\n`);

  it.each<[string, object]>([
    ["as it is", { clientSecret: CLIENT_SECRET }],
    ["in a variable", { clientSecretEnv: "SECRET" }],
    ["in a file", { clientSecretFile: secretFile }],
  ])("%s", async (_, secret) => {
    const server = await startTestServer(stub);
    servers.add(server);
    const auth = {
      method: "clientSecret",
      tenantId: TENANT,
      clientId: CLIENT_ID,
      authority: server.address,
      ...secret,
    } as const;
    const provider = open(server.address, { auth, env: { SECRET: CLIENT_SECRET } });
    expect((await provider.lookup({ path: "db", format: "json" }, soon())).status).toBe("found");
    await provider.close();
    const form = new URLSearchParams(server.requests[0]?.body);
    expect(Object.fromEntries(form)).toEqual({
      grant_type: "client_credentials",
      client_id: CLIENT_ID,
      client_secret: CLIENT_SECRET,
      scope: "https://vault.azure.net/.default",
    });
  });

  it.each<[string, SoundAnswer, object]>([
    [
      "401",
      { status: 401, body: { error: "invalid_client", error_codes: [7000215] } },
      { status: "denied", reason: expect.stringMatching(/401 AADSTS7000215$/) },
    ],
    [
      "400",
      { status: 400, body: { error: "unauthorized_client" } },
      { status: "denied", reason: expect.stringMatching(/400 unauthorized_client$/) },
    ],
    [
      "400 of somebody else",
      { status: 400, body: "<html>" },
      { status: "denied", reason: expect.stringMatching(/: 400$/) },
    ],
    [
      "400 without a word",
      { status: 400, body: { error: "canary text" } },
      { status: "denied", reason: expect.stringMatching(/: 400$/) },
    ],
    ["no token", { body: { expires_in: 3599 } }, { status: "malformed" }],
    ["503", { status: 503, body: "" }, { status: "unavailable" }],
  ])("that are answered with %s", async (_, answer, expected) => {
    const { provider, look } = await start((request) => (isLogin(request) ? answer : null));
    expect(await look()).toMatchObject(expected);
    await provider.close();
  });

  it("without a secret ask nobody", async () => {
    const auth = { method: "clientSecret", tenantId: TENANT, clientId: CLIENT_ID, clientSecretEnv: "NONE" } as const;
    const { provider, look, server } = await start(() => null, { auth });
    expect(await look()).toMatchObject({ status: "denied", reason: "there is no token in NONE" });
    await provider.close();
    expect(server.requests).toEqual([]);
  });
});

describe("logins with Azure's library", () => {
  const library = (getToken: (scope: string, options: object) => Promise<unknown>, options: unknown[] = []) => ({
    DefaultAzureCredential: class {
      getToken = getToken;
      constructor(given: unknown) {
        options.push(given);
      }
    },
  });

  it("send the token, for the scope and the tenant that are configured", async () => {
    const seen: unknown[] = [];
    const getToken = async (scope: string) => {
      seen.push(scope);
      return await Promise.resolve({ token: TOKEN, expiresOnTimestamp: Date.now() + 3_600_000 });
    };
    vi.doMock("@azure/identity", () => library(getToken, seen));
    const auth = { method: "default", tenantId: TENANT } as const;
    const { provider, look } = await start(() => null, { auth, scope: "https://vault.azure.cn/.default" });
    expect([(await look()).status, (await look()).status]).toEqual(["found", "found"]);
    await provider.close();
    expect(seen).toEqual([{ tenantId: TENANT }, "https://vault.azure.cn/.default"]);
  });

  it.each<[string, () => Promise<unknown>, string]>([
    ["gives no token", async () => await Promise.resolve(null), "denied"],
    [
      "is too busy",
      async () => await Promise.reject(Object.assign(new Error("canary"), { statusCode: 503 })),
      "unavailable",
    ],
    ["is refused", async () => await Promise.reject(Object.assign(new Error("canary"), { statusCode: 400 })), "denied"],
    [
      "does not reach anybody",
      async () => await Promise.reject(Object.assign(new Error("canary"), { code: "ENOTFOUND" })),
      "unavailable",
    ],
    ["throws what is no error", async () => await Promise.reject("canary"), "denied"],
  ])("answer where it %s", async (_, getToken, status) => {
    vi.doMock("@azure/identity", () => library(getToken));
    const { provider, look, server } = await start(() => null, { auth: undefined });
    const answer = await look();
    await provider.close();
    expect(answer.status).toBe(status);
    expect(JSON.stringify(answer)).not.toContain("canary");
    expect(server.requests).toEqual([]);
  });

  /** A command line of Azure that is logged in. */
  function azureCli(): string {
    const expires = Math.floor(Date.now() / 1000) + 3600;
    const token = JSON.stringify({ accessToken: TOKEN, expires_on: expires, tokenType: "Bearer" });
    writeFileSync(join(folder, "az"), `#!/bin/sh\nprintf '%s' '${token}'\n`, { mode: 0o755 });
    return folder;
  }

  it.each([
    ["a login of the command line", "AzureCliCredential", "found"],
    ["nothing in the environment", "EnvironmentCredential", "denied"],
  ])("go through the real library, with %s", async (_, credential, status) => {
    vi.stubEnv("AZURE_TOKEN_CREDENTIALS", credential);
    vi.stubEnv("PATH", `${azureCli()}:${process.env["PATH"]}`);
    for (const name of ["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"]) vi.stubEnv(name, undefined);
    const { provider, look } = await start(() => null, { auth: undefined });
    expect((await look()).status).toBe(status);
    await provider.close();
  });

  it("name the package where it is missing, and take it from the folder of the configuration", async () => {
    vi.doMock("@azure/identity", () => {
      throw Object.assign(new Error("x"), { code: "ERR_MODULE_NOT_FOUND" });
    });
    const { provider, look, server } = await start(() => null, { auth: undefined });
    expect(await look()).toMatchObject({
      status: "malformed",
      reason: expect.stringMatching(/npm package @azure\/identity/),
    });
    await provider.close();
    const place = join(folder, "node_modules", "@azure", "identity");
    mkdirSync(place, { recursive: true });
    const token = `{ token: ${JSON.stringify(TOKEN)}, expiresOnTimestamp: ${Date.now() + 3_600_000} }`;
    writeFileSync(
      join(place, "index.js"),
      `exports.DefaultAzureCredential = class { async getToken() { return ${token}; } };`,
    );
    const other = open(server.address, { auth: undefined, configFolder: folder });
    expect((await other.lookup({ path: "db", format: "json" }, soon())).status).toBe("found");
    await other.close();
  });
});

it("comes from a configuration", async () => {
  const type = "azure-key-vault";
  const address = "https://my-vault.vault.azure.net";
  const { provider } = openProvider(
    azureKeyVaultProvider,
    { type, address, auth: { method: "token", tokenEnv: "T" }, path: "{name}" },
    { id: "azure", env: {} },
  );
  expect(provider).toMatchObject({ id: "azure", type, capabilities: { versions: true } });
  expect(await provider.check(soon())).toMatchObject({ status: "denied", reason: "there is no token in T" });
  await provider.close();
  for (const wrong of [{}, { address, auth: { method: "magic" } }, { address, vault: "x" }]) {
    expect(() => openProvider(azureKeyVaultProvider, { type, ...wrong }, { id: "azure", env: {} })).toThrow();
  }
});
