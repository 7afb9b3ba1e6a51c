import { PluginInputError } from "@autokestra/plugin-sdk";
import { runAction } from "@autokestra/plugin-sdk/testing";
import { describe, expect, it } from "vitest";
import { getSchema, type HttpRequest, requestSchema } from "../../src/http/http-request.ts";
import { getAction, requestAction } from "./actions.ts";

const CANARY = "canary-4711";
const url = "https://api.example.com/";

function firstHop(input: object): HttpRequest["first"] {
  return requestSchema.parse({ url, ...input }).first;
}

it("has defaults", () => {
  expect(requestSchema.parse({ url })).toEqual({
    first: { method: "GET", url: new URL(url), origin: "https://api.example.com", headers: {}, body: undefined },
    timeoutSeconds: 30,
    failOnStatus: true,
    allowStatus: [],
    followRedirects: "same-origin",
    maxResponseBytes: 10_485_760,
    response: "auto",
    proxy: "environment",
  });
  expect(getSchema.parse({ url })).toEqual(requestSchema.parse({ url }));
});

it.each([
  [{ a: "1", b: 2, c: true }, "?a=1&b=2&c=true"],
  [{ tag: ["x", "y z"], none: [] }, "?tag=x&tag=y+z"],
  [{ "q&r": "1&2=ä#" }, "?q%26r=1%262%3D%C3%A4%23"],
])("writes the query %j", (query, expected) => {
  expect(firstHop({ query }).url.search).toBe(expected);
});

it("leaves the query of the URL as it is written and drops the fragment", () => {
  const hop = firstHop({ url: "https://api.example.com/p?sig=a%20b~c&empty#part", query: { page: 2 } });
  expect(hop.url.href).toBe("https://api.example.com/p?sig=a%20b~c&empty&page=2");
});

it.each([
  [{ headers: { "X-Id": 5, Accept: "text/html" } }, { "x-id": "5", accept: "text/html" }],
  [{ body: { a: 1 } }, { "content-type": "application/json" }],
  [
    { body: { a: 1 }, headers: { "Content-Type": "application/merge-patch+json" } },
    { "content-type": "application/merge-patch+json" },
  ],
  [{ body: "a=1" }, {}],
  [{ auth: { bearer: "T" } }, { authorization: "Bearer T" }],
  // RFC 7617, section 2 and 2.1
  [
    { auth: { basic: { username: "Aladdin", password: "open sesame" } } },
    { authorization: "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==" },
  ],
  [{ auth: { basic: { username: "test", password: "123£" } } }, { authorization: "Basic dGVzdDoxMjPCow==" }],
  [{ auth: { basic: { username: "key", password: ":" } } }, { authorization: "Basic a2V5Ojo=" }],
])("makes the headers of %j", (input, expected) => {
  expect(firstHop(input).headers).toEqual(expected);
});

it.each([
  ["text", "text"],
  ["", ""],
  [{ a: [1, null] }, '{"a":[1,null]}'],
  [null, "null"],
  [0, "0"],
])("makes the body of %j", (body, expected) => {
  expect(firstHop({ body }).body).toBe(expected);
});

describe("refuses, without the value,", () => {
  const token = { bearer: CANARY };
  const LINE = "a value without line breaks, control characters and characters beyond Latin-1";
  it.each<[string, object, string]>([
    ["text that is no URL", { url: CANARY }, "url: expected an absolute URL"],
    ["a file", { url: `file:///${CANARY}` }, "url: expected an http: or https: URL"],
    [
      "userinfo",
      { url: `https://user:${CANARY}@h/` },
      "url: expected a URL without user name and password; give them as auth: { basic: { username, password } }",
    ],
    [
      "a user alone",
      { url: `https://${CANARY}@h/` },
      "url: expected a URL without user name and password; give them as auth: { basic: { username, password } }",
    ],
    ["CR LF in a header", { headers: { "X-Key": `${CANARY}\r\nX-Evil: 1` } }, `headers.X-Key: expected ${LINE}`],
    [
      "LF at the end of a header",
      { headers: { Authorization: `Bearer ${CANARY}\n` } },
      `headers.Authorization: expected ${LINE}`,
    ],
    ["NUL in a header", { headers: { "X-Key": `${CANARY}\0` } }, `headers.X-Key: expected ${LINE}`],
    ["a header beyond Latin-1", { headers: { "X-Key": `${CANARY}\u{1f511}` } }, `headers.X-Key: expected ${LINE}`],
    [
      "a header in a header name",
      { headers: { "X-Key: 1\r\nX-Evil": CANARY } },
      "headers.X-Key: 1\\u000d\\u000aX-Evil: expected a header name of letters, digits and hyphens",
    ],
    [
      "an empty header name",
      { headers: { "": CANARY } },
      "headers.: expected a header name of letters, digits and hyphens",
    ],
    [
      "framing",
      { headers: { "Transfer-Encoding": CANARY } },
      "headers.Transfer-Encoding: expected no such header: it is set by the connection itself",
    ],
    [
      "a length",
      { headers: { "content-length": "3" }, body: CANARY },
      "headers.content-length: expected no such header: it is set by the connection itself",
    ],
    [
      "a header twice",
      { headers: { "X-Key": CANARY, "x-key": CANARY } },
      "headers.x-key: expected each header once, whatever the case of its letters",
    ],
    ["a list as a header", { headers: { "X-Key": [CANARY] } }, "headers.X-Key: expected string or number or boolean"],
    [
      "a colon in the user name",
      { auth: { basic: { username: `a:${CANARY}`, password: "p" } } },
      "auth.basic.username: expected text without colon, line breaks and other control characters",
    ],
    [
      "LF in the password",
      { auth: { basic: { username: "a", password: `${CANARY}\n` } } },
      "auth.basic.password: expected text without line breaks and other control characters",
    ],
    [
      "LF in the token",
      { auth: { bearer: `${CANARY}\n` } },
      "auth.bearer: expected a token without spaces, line breaks and non-ASCII characters",
    ],
    [
      "an empty token",
      { auth: { bearer: "" } },
      "auth.bearer: expected a token without spaces, line breaks and non-ASCII characters",
    ],
    [
      "two kinds of auth",
      { auth: { ...token, basic: { username: CANARY, password: "" } } },
      "auth: expected either basic: { username, password } or bearer",
    ],
    ["no kind of auth", { auth: {} }, "auth: expected either basic: { username, password } or bearer"],
    [
      "auth and its header",
      { auth: token, headers: { AUTHORIZATION: CANARY } },
      "auth: expected auth or an Authorization header, not both",
    ],
    ["a nested query", { query: { q: { a: CANARY } } }, "query.q: expected string or number or boolean or array"],
    [
      "another method",
      { method: `BREW ${CANARY}` },
      "method: expected one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
    ],
    ["no time", { timeoutSeconds: 0 }, "timeoutSeconds: expected more than 0"],
    ["more than a day", { timeoutSeconds: 1e9 }, "timeoutSeconds: expected at most 86400"],
    ["a huge limit", { maxResponseBytes: 1e12 }, "maxResponseBytes: expected at most 268435456"],
    [
      "another redirect rule",
      { followRedirects: CANARY },
      "followRedirects: expected one of same-origin, always, never",
    ],
    ["another format", { response: CANARY }, "response: expected one of auto, json, text, base64"],
    ["an unknown key", { boddy: CANARY }, "unknown key 'boddy'"],
  ])("%s", async (_, input, problem) => {
    const run = runAction(requestAction, { url, ...input });
    await expect(run).rejects.toThrow(new PluginInputError(problem));
    await expect(run).rejects.toSatisfy((error: Error) => !`${error.stack} ${JSON.stringify(error)}`.includes(CANARY));
  });
});

it.each(["method", "body"])("core/http.get takes no %s", async (key) => {
  await expect(runAction(getAction, { url, [key]: "GET" })).rejects.toThrow(`Invalid input: unknown key '${key}'`);
});
