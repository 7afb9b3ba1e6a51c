import { describe, expect, it } from "vitest";
import { type Credential, findCookies, findTokens } from "../../src/http/response-credentials.ts";

const T = "t0ken-0f-a-login";
const valuesOf = (found: readonly Credential[]) => [...new Set(found.map(({ value }) => value))];

describe("KM4: credentials in responses", () => {
  it.each<[string, unknown, string[]]>([
    ["access_token", { access_token: T, token_type: "Bearer", expires_in: 3600 }, [T]],
    ["refresh_token and id_token, nested", { data: [{ refresh_token: T }, { idToken: `${T}2` }] }, [`${T}2`, T]],
    ["JSON under a type of text", JSON.stringify({ access_token: T }), [T]],
    ["JSON asked for as base64", Buffer.from(JSON.stringify({ access_token: T })).toString("base64"), [T]],
    ["a form, as GitHub answers", `access_token=${T}&scope=repo&token_type=bearer`, [T]],
    ["a form with encoded characters", "id_token=a%2Fb%2Bc%3D&x=1", ["a%2Fb%2Bc%3D", "a/b+c="]],
    ["a URL with a fragment", `https://app.example/#access_token=${T}&state=1`, [T]],
    ["no token", { token_type: "Bearer", access_tokens: 3, access_token: null, tokens: ["abcd"] }, []],
    ["tokens that are no texts", { access_token: 7, refresh_token: "abc" }, []],
    ["nothing", "", []],
    ["a text that speaks of them", "the access_token is in the header", []],
  ])("%s", (_, body, expected) => {
    expect(valuesOf(findTokens(body))).toEqual(expected);
    expect(findTokens(body).every(({ path }) => path === "body")).toBe(true);
  });

  it.each<[string, string[], string[]]>([
    [
      "a session",
      ["sid=s3ss10n-value; Path=/; Domain=api2.example.com; HttpOnly"],
      ["sid=s3ss10n-value", "s3ss10n-value"],
    ],
    ["an encoded one", ["sid=s%3As3ss10n.value"], ["sid=s%3As3ss10n.value", "s%3As3ss10n.value", "s:s3ss10n.value"]],
    ["a quoted one", ['a="s3ss10n-value"; Secure'], ['a="s3ss10n-value"', "s3ss10n-value"]],
    ["a short one, whose value is an ordinary word", ["theme=dark; Path=/"], ["theme=dark"]],
    ["several", ["aa=11111111", "bb=22222222"], ["aa=11111111", "11111111", "bb=22222222", "22222222"]],
    ["one that is deleted", ["sid=; Max-Age=0"], []],
  ])("cookies: %s", (_, headers, expected) => {
    expect(valuesOf(findCookies(headers))).toEqual(expected);
  });
});
