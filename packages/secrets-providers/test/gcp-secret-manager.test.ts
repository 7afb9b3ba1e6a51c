import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ProviderRequest } from "@autokestra/secrets-core";
import { temporaryFolder } from "@autokestra/test-kit";
import { SecretManagerServiceClient } from "@google-cloud/secret-manager";
import { OAuth2Client } from "google-auth-library";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import {
  crc32c,
  createGcpSecretManagerProvider,
  type GcpSecretManagerProviderOptions,
  gcpSecretManagerProvider,
} from "../src/gcp-secret-manager.ts";
import { openProvider } from "../src/index.ts";
import { type SeenRequest, type SoundAnswer, startTestServer } from "../src/testing/index.ts";
import { createAnsweringServers, lookIn } from "./answering-servers.ts";
import { describeContract, describeFaults } from "./provider-contracts.ts";
import { soon } from "./soon.ts";
import { createGcpStub, googleError, PROJECT, TOKEN } from "./stubs/gcp-secret-manager.ts";

const VALUE = '{"user":"u","password":"canary-value"}';
const stub = createGcpStub({
  db: [{ value: "old" }, { value: VALUE }],
  disabled: [{ value: "on" }, { value: "off", state: "DISABLED" }],
  destroyed: [{ value: "", state: "DESTROYED" }],
  image: [{ value: Buffer.from([0xff, 0xfe]) }],
  empty: [{ value: "" }],
});
const folder = temporaryFolder(afterAll);

const hostOf = (address: string) => address.replace(/^https?:\/\//, "");
const open = (address: string, options: Partial<GcpSecretManagerProviderOptions> = {}) =>
  createGcpSecretManagerProvider({
    project: PROJECT,
    address,
    auth: { method: "metadata" },
    env: { GCE_METADATA_HOST: hostOf(address) },
    ...options,
  });

const servers = createAnsweringServers(stub);
afterEach(() => {
  vi.unstubAllEnvs();
  vi.doUnmock("google-auth-library");
});

async function start(
  answers: (request: SeenRequest) => SoundAnswer | null,
  options: Partial<GcpSecretManagerProviderOptions> = {},
) {
  const server = await servers.start(answers);
  const provider = open(server.address, options);
  const look = lookIn(provider);
  return { server, provider, look };
}

describeContract("the contract", { answer: stub, open, stored: { path: "db", value: VALUE }, missing: "none" });

const isLogin = ({ path }: SeenRequest) => path.startsWith("/computeMetadata/");

describeFaults("faults", {
  // Its metadata server speaks no TLS.
  open: (address, onCall) =>
    address.startsWith("https:")
      ? open(address, { onCall, auth: { method: "token", token: TOKEN } })
      : open(address, { onCall }),
  answer: stub,
  path: "db",
  canaries: [TOKEN, "canary-value"],
  isLogin,
});

describe("Google's own client, against the stub", () => {
  async function judge<Result>(
    run: (client: SecretManagerServiceClient) => Promise<Result>,
    answers: (request: SeenRequest) => SoundAnswer | null = () => null,
  ): Promise<Result> {
    const { server } = await start(answers);
    // A status is no failure of the login: the client itself is to read what an error says.
    const authClient = new OAuth2Client({ transporterOptions: { validateStatus: () => true } });
    authClient.setCredentials({ access_token: TOKEN, expiry_date: Date.now() + 3_600_000 });
    const [apiEndpoint = "", port = ""] = hostOf(server.address).split(":");
    const client = new SecretManagerServiceClient({
      fallback: true,
      protocol: "http",
      apiEndpoint,
      port: Number(port),
      projectId: PROJECT,
      // The library declares a type of its own for the same class.
      authClient: authClient as never,
    });
    try {
      return await run(client);
    } finally {
      await client.close();
    }
  }
  const access = (version: string) => async (client: SecretManagerServiceClient) =>
    await client.accessSecretVersion({ name: `projects/${PROJECT}/secrets/${version}` }, { retry: null });

  it("reads a version, with the checksum that it has", async () => {
    const [{ name, payload }] = await judge(access("db/versions/latest"));
    expect(name).toBe("projects/123/secrets/db/versions/2");
    expect(Buffer.from(payload?.data ?? "").toString()).toBe(VALUE);
    expect(Number(payload?.dataCrc32c)).toBe(crc32c(Buffer.from(VALUE)));
  });

  it.each<[string, object]>([
    ["none/versions/latest", { code: 5, message: expect.stringMatching(/not found/) }],
    ["db/versions/7", { code: 5 }],
    ["disabled/versions/latest", { code: 9, message: expect.stringMatching(/is in DISABLED state/) }],
    ["destroyed/versions/1", { code: 9 }],
  ])("is refused %s", async (version, error) => {
    await expect(judge(access(version))).rejects.toMatchObject(error);
  });

  it.each<[number, string, string, number]>([
    [404, "NOT_FOUND", "RESOURCE_NOT_FOUND", 5],
    [403, "PERMISSION_DENIED", "IAM_PERMISSION_DENIED", 7],
    [403, "PERMISSION_DENIED", "SERVICE_DISABLED", 7],
    [401, "UNAUTHENTICATED", "ACCESS_TOKEN_EXPIRED", 16],
    [429, "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED", 8],
  ])("takes the %i of the stub for %s", async (status, name, reason, code) => {
    const asked = judge(access("db/versions/latest"), () => googleError(status, name, "said", reason));
    await expect(asked).rejects.toMatchObject({ code, message: expect.stringContaining("said"), reason });
  });
});

describe("what is read", () => {
  it.each<[string, Partial<ProviderRequest>, object]>([
    ["the newest version", {}, { status: "found", secret: { value: VALUE, version: "2" } }],
    ["another version", { version: "1" }, { status: "found", secret: { value: "old", version: "1" } }],
    ["an empty value", { path: "empty" }, { status: "found", secret: { value: "" } }],
    [
      "no version",
      { version: "9" },
      { status: "notFound", reason: expect.stringMatching(/404 NOT_FOUND\. There is no/) },
    ],
    ["nothing", { path: "none" }, { status: "notFound" }],
    [
      "a disabled version",
      { path: "disabled" },
      { status: "notFound", reason: expect.stringMatching(/the version is disabled\.$/) },
    ],
    ["the version before it", { path: "disabled", version: "1" }, { status: "found", secret: { value: "on" } }],
    [
      "a destroyed version",
      { path: "destroyed" },
      { status: "notFound", reason: expect.stringMatching(/destroyed\.$/) },
    ],
    ["bytes", { path: "image" }, { status: "malformed", reason: expect.stringMatching(/binary/) }],
    ["a name that is none", { path: "apps/db" }, { status: "malformed" }],
    ["a version that is none", { version: "../1" }, { status: "malformed" }],
  ])("%s", async (_, request, expected) => {
    const { provider, look } = await start(() => null);
    expect(await look(request)).toMatchObject(expected);
    await provider.close();
  });

  const payload = (data: unknown, dataCrc32c?: unknown) => ({
    body: { name: "projects/1/secrets/db/versions/3", payload: { data, dataCrc32c } },
  });
  it.each<[string, SoundAnswer, object]>([
    ["no checksum", payload("YWJj"), { status: "found", secret: { value: "abc", version: "3" } }],
    ["the checksum as a number", payload("YWJj", 0x364b3fb7), { status: "found" }],
    ["a wrong checksum", payload("YWJj", "1"), { status: "malformed", reason: expect.stringMatching(/checksum/) }],
    ["no value at all", payload(undefined, "0"), { status: "found", secret: { value: "" } }],
    ["no base64", payload("***"), { status: "malformed" }],
    [
      "an unknown state",
      googleError(400, "FAILED_PRECONDITION"),
      { status: "notFound", reason: expect.stringMatching(/disabled or destroyed/) },
    ],
    [
      "400",
      googleError(400, "INVALID_ARGUMENT"),
      { status: "malformed", reason: expect.stringMatching(/400 INVALID_ARGUMENT$/) },
    ],
    ["401", googleError(401, "UNAUTHENTICATED"), { status: "denied", hint: expect.stringMatching(/token/) }],
    [
      "403",
      googleError(403, "PERMISSION_DENIED"),
      { status: "denied", hint: expect.stringMatching(/versions\.access.*Google does not tell/) },
    ],
    [
      "403 for the API",
      googleError(403, "PERMISSION_DENIED", "x", "SERVICE_DISABLED"),
      { status: "denied", hint: expect.stringMatching(/Enable/) },
    ],
    ["429", googleError(429, "RESOURCE_EXHAUSTED"), { status: "unavailable" }],
    ["503", googleError(503, "UNAVAILABLE"), { status: "unavailable" }],
    [
      "a code that is none",
      googleError(403, "canary code"),
      { status: "denied", reason: expect.stringMatching(/: 403$/) },
    ],
  ])("where the answer has %s", async (_, read, expected) => {
    const { provider, look } = await start(({ path }) => (path.includes("/secrets/") ? read : null));
    const answer = await look();
    await provider.close();
    expect(answer).toMatchObject(expected);
    expect(JSON.stringify(answer)).not.toContain("canary");
  });

  it("has the checksum that others have", () => {
    expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
  });

  it("asks in the location that is configured", async () => {
    const { provider, look, server } = await start(() => null, { location: "europe-west3" });
    expect((await look()).status).toBe("found");
    await provider.close();
    expect(server.requests.at(-1)?.path).toBe(
      `/v1/projects/${PROJECT}/locations/europe-west3/secrets/db/versions/latest:access`,
    );
  });
});

describe("a check", () => {
  it.each<[string, SoundAnswer | null, string]>([
    ["everything", null, "found"],
    ["no permission", googleError(403, "PERMISSION_DENIED", "x", "IAM_PERMISSION_DENIED"), "found"],
    ["no API", googleError(403, "PERMISSION_DENIED", "x", "SERVICE_DISABLED"), "denied"],
    ["an outage", googleError(503, "UNAVAILABLE"), "unavailable"],
  ])("with %s", async (_, read, status) => {
    const { provider, server } = await start(({ path }) => (path.includes("/locations") ? read : null));
    expect((await provider.check(soon())).status).toBe(status);
    await provider.close();
    expect(server.requests.filter(({ path }) => path.includes("/secrets"))).toEqual([]);
  });

  it("says where the metadata server is not", async () => {
    const { provider } = await start(({ path }) => (path.startsWith("/compute") ? { status: 404, body: "" } : null));
    expect(await provider.check(soon())).toMatchObject({
      status: "malformed",
      reason: expect.stringMatching(/service account/),
    });
    await provider.close();
  });
});

describe("logins with Google's library", () => {
  /** Credentials of a workload outside of Google, whose tokens this server exchanges. */
  function keyFile(address: string): string {
    const [path, file] = [join(folder, "workload.json"), join(folder, "workload-token")];
    writeFileSync(file, "canary-workload-token");
    const workload = {
      type: "external_account",
      audience: "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/p",
      subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
      token_url: `${address}/token`,
      credential_source: { file },
    };
    writeFileSync(path, JSON.stringify(workload));
    return path;
  }
  const granted = { access_token: TOKEN, expires_in: 3599, token_type: "Bearer", issued_token_type: "x" };

  /** A library that answers as Google's does, without the network. */
  const fakeLibrary = (getAccessToken: () => Promise<object>, quotaProjectId?: string) => ({
    GoogleAuth: class {
      async getClient() {
        await Promise.resolve();
        return { getAccessToken, quotaProjectId, credentials: { expiry_date: Date.now() + 3_600_000 } };
      }
    },
  });

  it.each<[string, SoundAnswer, string]>([
    ["is given", { body: granted }, "found"],
    ["is refused", { status: 400, body: { error: "invalid_grant", error_description: "canary" } }, "denied"],
  ])("go through the real library, where the token %s", async (_, token, status) => {
    const server = await startTestServer((request) => (request.path === "/token" ? token : stub(request)));
    servers.add(server);
    const provider = open(server.address, { auth: { method: "default", keyFile: keyFile(server.address) } });
    const answers = await Promise.all(
      ["db", "empty"].map(async (path) => await provider.lookup({ path, format: "json" }, soon())),
    );
    await provider.close();
    expect(answers.map((answer) => answer.status)).toEqual([status, status]);
    expect(JSON.stringify(answers)).not.toContain("canary-workload");
    expect(server.requests.filter(({ path }) => path === "/token").length).toBe(1);
  });

  it("are refused where there is no key", async () => {
    const { provider, look } = await start(() => null, {
      auth: { method: "default", keyFile: join(folder, "none.json") },
    });
    expect(await look()).toMatchObject({
      status: "denied",
      hint: expect.stringMatching(/GOOGLE_APPLICATION_CREDENTIALS/),
    });
    await provider.close();
  });

  it("sends the token and the project that pays", async () => {
    vi.doMock("google-auth-library", () => fakeLibrary(async () => await Promise.resolve({ token: TOKEN }), "payer"));
    const { provider, look, server } = await start(() => null, { auth: { method: "default", keyFile: "k.json" } });
    expect((await look()).status).toBe("found");
    await provider.close();
    expect(server.requests.map(({ headers }) => headers["x-goog-user-project"])).toEqual(["payer"]);
  });

  it.each<[string, () => Promise<object>, string]>([
    ["gives no token", async () => await Promise.resolve({ token: null }), "denied"],
    [
      "is refused",
      async () => await Promise.reject(Object.assign(new Error("canary"), { response: { status: 400 } })),
      "denied",
    ],
    [
      "is too busy",
      async () => await Promise.reject(Object.assign(new Error("canary"), { response: { status: 503 } })),
      "unavailable",
    ],
    [
      "does not reach anybody",
      async () => await Promise.reject(Object.assign(new Error("canary"), { code: "ENOTFOUND" })),
      "unavailable",
    ],
    ["finds nothing", async () => await Promise.reject(new Error("canary")), "denied"],
    ["throws what is no error", async () => await Promise.reject("canary"), "denied"],
  ])("answers where it %s", async (_, getAccessToken, status) => {
    vi.doMock("google-auth-library", () => fakeLibrary(getAccessToken));
    const { provider, look, server } = await start(() => null, { auth: undefined });
    const answers = [await look(), await look()];
    await provider.close();
    expect(answers.map((answer) => answer.status)).toEqual([status, status]);
    expect(JSON.stringify(answers)).not.toContain("canary");
    expect(server.requests).toEqual([]);
  });

  const missing = () => {
    vi.doMock("google-auth-library", () => {
      throw Object.assign(new Error("x"), { code: "ERR_MODULE_NOT_FOUND" });
    });
  };

  it("names the package where it is missing and was asked for", async () => {
    missing();
    const { provider, look } = await start(() => null, { auth: { method: "default" } });
    expect(await look()).toMatchObject({
      status: "malformed",
      reason: expect.stringMatching(/npm package google-auth-library/),
    });
    await provider.close();
  });

  it("asks the metadata server where it is missing, and names it where there is none", async () => {
    missing();
    const { provider, look } = await start(() => null, { auth: undefined });
    expect((await look()).status).toBe("found");
    await provider.close();
    const nowhere = open("http://127.0.0.1:1", { auth: undefined });
    expect(await nowhere.lookup({ path: "db", format: "json" }, soon())).toMatchObject({
      status: "unavailable",
      hint: expect.stringMatching(/Only machines of Google.*Install google-auth-library/),
    });
    await nowhere.close();
  });

  it("takes it from the folder of the configuration", async () => {
    missing();
    const place = join(folder, "node_modules", "google-auth-library");
    mkdirSync(place, { recursive: true });
    writeFileSync(
      join(place, "index.js"),
      `exports.GoogleAuth = class { async getClient() { return { credentials: {}, getAccessToken: async () => ({ token: ${JSON.stringify(TOKEN)} }) }; } };`,
    );
    const { provider, look } = await start(() => null, { auth: { method: "default" }, configFolder: folder });
    expect((await look()).status).toBe("found");
    await provider.close();
  });
});

describe("options", () => {
  it("need a project, and take it from the environment", async () => {
    expect(() => createGcpSecretManagerProvider({ env: {} })).toThrow(/no project/);
    await createGcpSecretManagerProvider({ env: { GOOGLE_CLOUD_PROJECT: "p" }, location: "europe-west3" }).close();
  });

  it("come from a configuration", async () => {
    const type = "gcp-secret-manager";
    const { provider } = openProvider(
      gcpSecretManagerProvider,
      { type, project: "p", location: "europe-west3", auth: { method: "token", tokenEnv: "T" }, path: "{name}" },
      { id: "google", env: {} },
    );
    expect(provider).toMatchObject({ id: "google", type, capabilities: { versions: true } });
    expect(await provider.check(soon())).toMatchObject({ status: "denied", reason: "there is no token in T" });
    await provider.close();
    for (const wrong of [{ location: "a.b/c" }, { auth: { method: "magic" } }, { projcet: "p" }]) {
      expect(() => openProvider(gcpSecretManagerProvider, { type, ...wrong }, { id: "google", env: {} })).toThrow();
    }
  });
});
