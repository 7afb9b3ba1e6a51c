import { PluginInputError } from "@autokestra/plugin-sdk";
import { runAction } from "@autokestra/plugin-sdk/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyCharacter } from "../../../../scripts/test/any-character.ts";
import { type HttpRequest, requestSchema } from "../../src/http/http-request.ts";
import { requestAction } from "./actions.ts";
import { startServer } from "./test-server.ts";

const CANARY = "canary-4711";
const FORM = "application/x-www-form-urlencoded";
const url = "https://api.example.com/";

function firstHop(input: object): HttpRequest["first"] {
  return requestSchema.parse({ url, method: "POST", ...input }).first;
}
const typed = (type: string, more: object) => ({ headers: { "Content-Type": type }, ...more });

describe("KD3: a form", () => {
  it.each<[object, string]>([
    [{ grant_type: "client_credentials", scope: "a b" }, "grant_type=client_credentials&scope=a+b"],
    [{ n: 1, yes: true, empty: "" }, "n=1&yes=true&empty="],
    [{ tag: ["x", 2, false], none: [] }, "tag=x&tag=2&tag=false"],
    [{ "q&r": "1&2=ä+%\r\n" }, "q%26r=1%262%3D%C3%A4%2B%25%0D%0A"],
    [{}, ""],
  ])("%j is written as %s, by `form` and under its content type", (value, text) => {
    expect(firstHop({ form: value })).toMatchObject({ body: text, headers: { "content-type": FORM } });
    for (const type of [FORM, "Application/X-WWW-Form-UrlEncoded", `${FORM}; charset=UTF-8`]) {
      expect(firstHop(typed(type, { body: value }))).toMatchObject({ body: text, headers: { "content-type": type } });
      expect(firstHop(typed(type, { form: value }))).toMatchObject({ body: text, headers: { "content-type": type } });
    }
  });

  it("arrives as a form", async () => {
    const { origin, received } = await startServer((response) => response.end());
    await runAction(requestAction, {
      url: origin,
      method: "POST",
      headers: { "CONTENT-TYPE": FORM },
      body: { user: "ada", pass: "a&b=c d+e" },
    });
    expect(received[0]?.headers["content-type"]).toBe(FORM);
    expect([...new URLSearchParams(received[0]?.body)]).toEqual([
      ["user", "ada"],
      ["pass", "a&b=c d+e"],
    ]);
  });

  it("gives back every text", () => {
    const text = fc.string({ unit: anyCharacter });
    const name = text.filter((one) => one !== "__proto__");
    fc.assert(
      fc.property(fc.dictionary(name, fc.oneof(text, fc.array(text))), (form) => {
        const pairs = Object.entries(form).flatMap(([key, value]) => [value].flat().map((one) => [key, one]));
        expect([...new URLSearchParams(firstHop({ form }).body as string)]).toEqual(pairs);
        expect(firstHop(typed(FORM, { body: form })).body).toBe(firstHop({ form }).body);
      }),
      { numRuns: 50 },
    );
  });
});

describe("KD3: other bodies", () => {
  it.each<[object, string | undefined, string | undefined]>([
    [{ body: { a: [1, null] } }, '{"a":[1,null]}', "application/json"],
    [{ body: [1] }, "[1]", "application/json"],
    [{ body: null }, "null", "application/json"],
    [{ body: "text" }, "text", undefined],
    [{ body: "" }, "", undefined],
    [{}, undefined, undefined],
    [typed("application/json", { body: { a: 1 } }), '{"a":1}', "application/json"],
    [typed("Application/JSON; Charset=UTF-8", { body: 7 }), "7", "Application/JSON; Charset=UTF-8"],
    [typed("application/merge-patch+json", { body: {} }), "{}", "application/merge-patch+json"],
    [typed("application/x-amz-json-1.1", { body: {} }), "{}", "application/x-amz-json-1.1"],
    [typed("application/json", { body: ' {"a": 1}\n' }), ' {"a": 1}\n', "application/json"],
    [typed("application/json", { body: "" }), "", "application/json"],
    [typed("application/x-ndjson", { body: "{}\n{}\n" }), "{}\n{}\n", "application/x-ndjson"],
    [typed(FORM, { body: "a=1&b" }), "a=1&b", FORM],
    [typed("text/plain", { body: "ä" }), "ä", "text/plain"],
    [typed("text/plain; charset=us-ascii", { body: "a" }), "a", "text/plain; charset=us-ascii"],
    [typed("application/xml", { body: "<a/>" }), "<a/>", "application/xml"],
  ])("%j", (input, body, type) => {
    const hop = firstHop(input);
    expect(hop.body).toBe(body);
    expect(hop.headers["content-type"]).toBe(type);
  });
});

const TEXT = "body: expected text, for the content-type is neither that of JSON nor that of a form";
const PARAMETER = "string or number or boolean or array";
const CHARSET =
  "body: expected ASCII characters, for the body is sent in UTF-8 and the content-type names another charset";
const cycle: unknown[] = [];
cycle.push(cycle);

it.each<[string, object, string]>([
  ["body and form", { body: CANARY, form: {} }, "form: expected either body or form, not both"],
  [
    "a form under JSON",
    typed("application/json", { form: {} }),
    `form: expected no content-type but ${FORM} beside it`,
  ],
  ["a form under text", typed("text/plain", { form: {} }), `form: expected no content-type but ${FORM} beside it`],
  ["a form of text", { form: `a=${CANARY}` }, "form: expected object"],
  ["a form that is a list", { form: [CANARY] }, "form: expected object"],
  ["a nested form", { form: { a: { b: CANARY } } }, `form.a: expected ${PARAMETER}`],
  ["a form with nothing", { form: { a: null } }, `form.a: expected ${PARAMETER}`],
  ["a nested body under a form's type", typed(FORM, { body: { a: { b: CANARY } } }), `body.a: expected ${PARAMETER}`],
  ["a list under a form's type", typed(FORM, { body: [CANARY] }), "body: expected object"],
  ["a number under a form's type", typed(FORM, { body: 7 }), "body: expected object"],
  ["an object under text", typed("text/plain", { body: { a: CANARY } }), TEXT],
  ["an object under XML", typed("Application/XML; x", { body: { a: CANARY } }), TEXT],
  ["an object under XML+", typed("application/soap+xml", { body: { a: CANARY } }), TEXT],
  ["an object under multipart", typed("multipart/form-data", { body: { a: CANARY } }), TEXT],
  ["an object under no type", typed("", { body: { a: CANARY } }), TEXT],
  ["a list under NDJSON", typed("application/x-ndjson", { body: [CANARY] }), TEXT],
  ["text under JSON", typed("application/json", { body: CANARY }), "body: expected JSON, as the content-type says"],
  [
    "broken JSON under JSON",
    typed("application/vnd.api+json; v=1", { body: `{"a": "${CANARY}` }),
    "body: expected JSON, as the content-type says",
  ],
  ["a cycle", { body: cycle }, "body: expected text or a JSON value"],
  ["Latin-1", typed("text/plain; charset=ISO-8859-1", { body: `${CANARY} ä` }), CHARSET],
  ["half a pair", { body: `${CANARY}\ud83d` }, "body: expected text without halves of surrogate pairs"],
])("KD3: refuses %s before anything is sent, without the value", async (_, input, problem) => {
  const run = runAction(requestAction, { url: "http://127.0.0.1:1", method: "POST", ...input });
  await expect(run).rejects.toThrow(new PluginInputError(problem));
});

it.each(["form", "query"])("KD3: refuses half a pair in a %s", async (key) => {
  const run = runAction(requestAction, { url: "http://127.0.0.1:1", method: "POST", [key]: { a: `${CANARY}\udc00` } });
  await expect(run).rejects.toThrow(/^Invalid input: [a-z]+\.a: expected text without halves of surrogate pairs/);
});

it.each(["form", "query", "headers"])("R8: refuses a name in %s that would be lost", (key) => {
  const given: unknown = JSON.parse('{"__proto__":"x"}');
  expect(() => firstHop({ [key]: given })).toThrow("no name '__proto__'");
  expect(JSON.stringify(firstHop({ [key]: { constructor: "y" } }))).toContain("constructor");
});
