import { parseSecretName } from "@autokestra/secrets-core";
import { DopplerSDK } from "@dopplerhq/node-sdk";
import { afterAll, describe, expect, it } from "vitest";
import { createDopplerProvider, type DopplerProviderOptions, dopplerProvider } from "../src/doppler.ts";
import { createProviderSource, openProvider } from "../src/index.ts";
import { type SeenRequest, type SoundAnswer, startTestServer, type TestServer } from "../src/testing/index.ts";
import { describeContract, describeFaults } from "./provider-contracts.ts";
import { soon } from "./soon.ts";
import { dopplerServer } from "./stubs/doppler.ts";

const SERVICE = "canary-token-service";
const PERSONAL = "canary-token-personal";
const DB = '{"user":"u","password":"canary-value"}';
const answer = dopplerServer({ service: SERVICE, personal: PERSONAL }, { DB, KEY: "canary-key", ODD: 1, EMPTY: "" });

const open = (address: string, options: Partial<DopplerProviderOptions> = {}) =>
  createDopplerProvider({ address, token: SERVICE, env: {}, ...options });
const asked = ({ requests }: TestServer) =>
  requests.map(({ path }) => new URL(path, "http://stub").searchParams.get("secrets"));

/** Texts that can be read without a key, but not by chance. */
const cipher = {
  encrypt: async (text: string) => await Promise.resolve(Buffer.from(text).toString("hex")),
  decrypt: async (text: string) => await Promise.resolve(Buffer.from(text, "hex").toString()),
};

describeContract("the contract", { answer, open, stored: { path: "DB", value: DB }, missing: "NONE" });

describeFaults("faults", {
  open: (address, onCall) => open(address, { onCall }),
  answer,
  path: "DB",
  canaries: [SERVICE, "canary-value"],
});

describe("createDopplerProvider", () => {
  const servers: TestServer[] = [];
  afterAll(async () => {
    for (const server of servers) await server.close();
  });

  async function start(respond: (request: SeenRequest) => SoundAnswer, options: Partial<DopplerProviderOptions> = {}) {
    const server = await startTestServer(respond);
    servers.push(server);
    return { server, provider: open(server.address, options) };
  }

  async function look(path: string, options: Partial<DopplerProviderOptions> = {}, respond = answer) {
    const { provider } = await start(respond, options);
    const given = await provider.lookup({ path, format: "json" }, soon());
    const checked = await provider.check(soon());
    await provider.close();
    return { given, checked };
  }

  it.each<[string, Partial<DopplerProviderOptions>]>([
    ["the config that a service token belongs to", {}],
    ["a config by its name", { project: "app", config: "prd" }],
    ["a config by its name, with another token", { token: PERSONAL, project: "app", config: "prd" }],
  ])("gives a secret of %s, and says whose the token is", async (_what, options) => {
    const { given, checked } = await look("KEY", options);
    expect(given).toEqual({ status: "found", secret: { value: "canary-key" } });
    expect(checked).toEqual({ status: "found", secret: { account: "ci" } });
  });

  it.each<[string, string, Partial<DopplerProviderOptions>, string, string]>([
    ["that never existed", "NONE", {}, "notFound", "There is no secret NONE in the config."],
    ["that only the prototype has", "toString", {}, "notFound", "There is no secret toString in the config."],
    ["whose name is a list", "DB,KEY", {}, "notFound", "Doppler has no names such as DB,KEY."],
    ["without a name", "", {}, "notFound", "Doppler has no names such as an empty one."],
    ["that is no text", "ODD", {}, "malformed", "the secret ODD is not a text"],
    ["with a wrong token", "DB", { token: "canary-wrong" }, "denied", "401"],
    ["of a config that the token may not see", "DB", { project: "app", config: "dev" }, "denied", "403"],
    [
      "of a config that is not there",
      "DB",
      { token: PERSONAL, project: "app", config: "no" },
      "malformed",
      "there is no such project or config",
    ],
    ["of no config", "DB", { token: PERSONAL }, "malformed", "400"],
  ])("answers for a secret %s", async (_what, path, options, status, reason) => {
    const { given } = await look(path, options);
    expect(given).toMatchObject({ status, reason: expect.stringContaining(reason) });
    expect(JSON.stringify(given)).not.toContain("canary");
  });

  it("says in a check what is wrong with the token, or with the answer", async () => {
    expect((await look("DB", { token: "canary-wrong" })).checked).toMatchObject({ status: "denied" });
    expect((await look("DB", { tokenEnv: "NONE", token: undefined })).checked).toMatchObject({ status: "denied" });
    const nameless = await look("DB", {}, () => ({ body: { name: 1 } }));
    expect(nameless.checked).toMatchObject({ status: "malformed" });
  });

  it("asks for several names in one call, each once", async () => {
    const { server, provider } = await start(answer);
    const source = createProviderSource(provider, { path: "{name}" });
    const names = ["KEY", "DB", "KEY", "NONE"].map(parseSecretName);
    const answers = await Promise.all(names.map(async (name) => await source.lookup(name)));
    expect(answers.map(({ status }) => status)).toEqual(["found", "found", "found", "notFound"]);
    expect(asked(server)).toEqual(["DB,KEY,NONE"]);
    await provider.close();
  });

  it("asks for a hundred names in one call at most", async () => {
    const { server, provider } = await start(answer);
    const requests = Array.from({ length: 201 }, (_, index) => ({ path: `N${index}`, format: "json" as const }));
    const answers = await provider.lookupMany?.([...requests, { path: "KEY", format: "json" }], soon());
    expect(answers?.map(({ status }) => status)).toEqual([...requests.map(() => "notFound"), "found"]);
    expect(asked(server).map((names) => names?.split(",").length)).toEqual([100, 100, 2]);
    await provider.close();
  });

  describe("what it keeps", () => {
    const serving = (secrets: Record<string, string>) =>
      dopplerServer({ service: SERVICE, personal: PERSONAL }, secrets);
    const value = async (provider: ReturnType<typeof open>, path = "KEY") => {
      const given = await provider.lookup({ path, format: "json" }, soon());
      return given.status === "found" ? given.secret.value : given.status;
    };

    it("is used as long as the server says that it is the same", async () => {
      const secrets: Record<string, string> = { KEY: "one" };
      const statuses: string[] = [];
      const { provider } = await start(serving(secrets), { cipher, onCall: ({ status }) => statuses.push(status) });
      expect([await value(provider), await value(provider)]).toEqual(["one", "one"]);
      secrets["KEY"] = "two";
      expect([await value(provider), await value(provider), await value(provider, "NONE")]).toEqual([
        "two",
        "two",
        "notFound",
      ]);
      expect(statuses).toEqual(["200", "304", "200", "304", "200"]);
      await provider.close();
    });

    it("is nothing without a cipher", async () => {
      const { server, provider } = await start(serving({ KEY: "one" }));
      expect([await value(provider), await value(provider)]).toEqual(["one", "one"]);
      expect(server.requests.map(({ headers }) => headers["if-none-match"])).toEqual([undefined, undefined]);
      await provider.close();
    });

    it("is nothing where the server gives no tag, and never what it refuses", async () => {
      const answers: SoundAnswer[] = [
        { body: { KEY: "a" } },
        { body: { KEY: "b" }, headers: { etag: '"b"' } },
        { status: 403, body: {} },
        { status: 304, body: "" },
      ];
      const { server, provider } = await start(() => answers.shift() ?? { body: null }, { cipher });
      const values = [];
      while (answers.length > 0) values.push(await value(provider));
      expect(values).toEqual(["a", "b", "denied", "malformed"]);
      expect(server.requests.map(({ headers }) => headers["if-none-match"])).toEqual([
        undefined,
        undefined,
        '"b"',
        undefined,
      ]);
      await provider.close();
    });

    it("is a hundred answers at most", async () => {
      const { server, provider } = await start(serving({ KEY: "one" }), { cipher });
      for (let index = 0; index <= 100; index += 1) await value(provider, `N${index}`);
      await value(provider, "N1");
      await value(provider, "N0");
      expect(server.requests.slice(-2).map(({ headers }) => typeof headers["if-none-match"])).toEqual([
        "string",
        "undefined",
      ]);
      await provider.close();
    });
  });

  it.each([{ project: "app" }, { config: "prd" }, { address: "ftp://x.example" }])("refuses %j", (options) => {
    expect(() => createDopplerProvider({ token: "t", ...options })).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID" }),
    );
  });

  it("asks Doppler itself by default, as it is configured", () => {
    const { provider } = openProvider(dopplerProvider, { type: "doppler", tokenEnv: "T" }, { id: "d", env: {} });
    expect(provider).toMatchObject({ id: "d", type: "doppler" });
    expect(() => openProvider(dopplerProvider, { type: "doppler", confg: "x" }, { id: "d", env: {} })).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID" }),
    );
  });
});

describe("the vendor's client against the stub", async () => {
  const server = await startTestServer(answer);
  afterAll(async () => await server.close());
  const client = (accessToken = PERSONAL) => {
    const sdk = new DopplerSDK({ accessToken });
    sdk.setBaseUrl(server.address);
    return sdk;
  };

  it("downloads the secrets that it names", async () => {
    const secrets = await client().secrets.download("app", "prd", { format: "json", secrets: "DB,NONE" });
    expect(secrets).toEqual({ DB });
  });
  it("downloads all where it names none", async () => {
    expect(Object.keys(await client().secrets.download("app", "prd", { format: "json" }))).toEqual([
      "DB",
      "KEY",
      "ODD",
      "EMPTY",
    ]);
  });
  it("is told whose the token is", async () => {
    expect(await client(SERVICE).auth.me()).toMatchObject({ type_: "service_token", name: "ci" });
  });
  it.each<[string, number, () => Promise<unknown>]>([
    ["a wrong token", 401, async () => await client("wrong").secrets.download("app", "prd")],
    ["a config that the token may not see", 403, async () => await client(SERVICE).secrets.download("app", "dev")],
    ["a config that is not there", 404, async () => await client().secrets.download("app", "no")],
    ["a project that is not there", 404, async () => await client().secrets.download("no", "prd")],
  ])("refuses %s", async (_what, statusCode, call) => {
    await expect(call()).rejects.toMatchObject({ statusCode });
  });
});
