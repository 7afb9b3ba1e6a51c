import { afterAll, describe, expect, it } from "vitest";
import { createHttpProvider, type HttpProviderOptions } from "../src/http.ts";
import { type SeenRequest, type SoundAnswer, startTestServer, type TestServer } from "../src/testing/index.ts";
import { describeContract, describeFaults } from "./provider-contracts.ts";
import { soon } from "./soon.ts";

const TOKEN = "canary-token-1c5f";

function answer({ path, headers }: SeenRequest): SoundAnswer {
  if (headers.authorization !== `Bearer ${TOKEN}`) return { status: 401, body: {} };
  return path === "/v1/db" ? { body: { data: { user: "u", password: "canary-value" } } } : { status: 404, body: {} };
}

const open = (address: string) => createHttpProvider({ url: `${address}/v1/{name}`, token: TOKEN, pointer: "/data" });

describeContract("the contract", {
  answer,
  open,
  stored: { path: "db", value: { user: "u", password: "canary-value" } },
  missing: "none",
});

describeFaults("faults", {
  open: (address, onCall) =>
    createHttpProvider({ url: `${address}/v1/{name}`, token: TOKEN, pointer: "/data", onCall }),
  answer,
  path: "db",
  canaries: [TOKEN, "canary-value"],
});

describe("createHttpProvider", () => {
  const servers: TestServer[] = [];
  afterAll(async () => {
    for (const server of servers) await server.close();
  });

  async function look(
    body: unknown,
    options: Partial<HttpProviderOptions> = {},
    sound: Partial<SoundAnswer> = {},
    path = "db",
  ) {
    const server = await startTestServer(() => ({ body, ...sound }));
    servers.push(server);
    const provider = createHttpProvider({
      url: `${server.address}/v1/{name}?q={name}&q=%7Bx%7D`,
      ...options,
      env: { T: "canary-env" },
    });
    const given = await provider.lookup({ path, format: "json" }, soon());
    await provider.close();
    return { given, requests: server.requests };
  }

  it.each<[string, unknown, string | undefined, unknown]>([
    ["the answer as it stands", "text\n", undefined, "text\n"],
    ["an object", { a: { b: { c: 1 } } }, "/a/b", { c: 1 }],
    ["a text", { a: ["x", "y"] }, "/a/1", "y"],
    ["a key with a slash and a tilde", { "a/b~c": "v" }, "/a~1b~0c", "v"],
    ["an empty key", { "": "v" }, "/", "v"],
    ["a number with its digits", '{"pin":1.10}', "/pin", "1.10"],
    ["true", { on: true }, "/on", "true"],
    ["a list", { a: [1] }, "/a", "[1]"],
  ])("gives %s", async (_what, body, pointer, value) => {
    expect((await look(body, { pointer })).given).toEqual({ status: "found", secret: { value } });
  });

  it.each<[string, unknown, Partial<HttpProviderOptions>, Partial<SoundAnswer>, string]>([
    ["an empty answer", "", {}, {}, "malformed"],
    ["a page", "<p>canary</p>", {}, { headers: { "content-type": "Text/HTML; charset=utf-8" } }, "malformed"],
    ["nothing at the pointer", { a: 1 }, { pointer: "/b" }, {}, "malformed"],
    ["null at the pointer", { a: null }, { pointer: "/a" }, {}, "malformed"],
    ["what only the prototype has", {}, { pointer: "/toString" }, {}, "malformed"],
    ["something below a text", { a: "canary" }, { pointer: "/a/length" }, {}, "malformed"],
    ["no JSON", "canary", { pointer: "/a" }, {}, "malformed"],
    ["another status of success", "canary", {}, { status: 203 }, "malformed"],
    ["404", "canary", {}, { status: 404 }, "notFound"],
    ["a status of its own", "canary", { statuses: { 204: "notFound" } }, { status: 204 }, "notFound"],
    ["a status of its own that stops", "canary", { statuses: { 404: "denied" } }, { status: 404 }, "denied"],
  ])("answers %s", async (_what, body, options, sound, status) => {
    const { given } = await look(body, options, sound);
    expect(given.status).toBe(status);
    expect(JSON.stringify(given)).not.toContain("canary");
  });

  it("V8: puts the path into the url, encoded as each place needs it", async () => {
    const { requests } = await look("v", {}, {}, "a/b c?&{name}$&");
    expect(requests.map(({ path }) => path)).toEqual([
      "/v1/a/b%20c%3F%26%7Bname%7D%24%26?q=a%2Fb+c%3F%26%7Bname%7D%24%26&q=%7Bx%7D",
    ]);
  });

  it("sends its headers, and the token unless there is such a header", async () => {
    const one = await look("v", { tokenEnv: "T", headers: { "x-api-key": "k" } });
    expect(one.requests[0]?.headers).toMatchObject({ authorization: "Bearer canary-env", "x-api-key": "k" });
    const own = await look("v", { tokenEnv: "T", headers: { authorization: "Basic x" } });
    expect(own.requests[0]?.headers).toMatchObject({ authorization: "Basic x" });
  });

  it("says where the token is missing, and asks nothing", async () => {
    const { given, requests } = await look("v", { tokenEnv: "NONE" });
    expect([given, requests]).toMatchObject([{ status: "denied", reason: "there is no token in NONE" }, []]);
    const provider = createHttpProvider({ url: "https://x.example/{name}", tokenEnv: "NONE", env: {} });
    const limits = { signal: new AbortController().signal, deadline: 0 };
    expect(await provider.check(limits)).toMatchObject({ status: "denied" });
  });

  it.each([
    "https://x.example/fixed",
    "https://{name}.example/",
    "x.example/{name}",
    "https://u:p@x.example/{name}",
    "http://x.example/{name}",
  ])("refuses the url %s", (url) => {
    expect(() => createHttpProvider({ url })).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  });
});
