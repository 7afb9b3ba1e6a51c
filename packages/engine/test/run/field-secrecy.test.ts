import type { FoundSecret } from "@autokestra/secrets-core";
import { describe, expect, it } from "vitest";
import { logged, tryRun } from "./try-run.ts";

const MASK = "***SECRET***";

const OAUTH = {
  clientId: "billing-service",
  clientSecret: "cl1ent+s3cret/value=",
  accessToken: "acc3ss-t0ken-value",
  refreshToken: "r3fresh-t0ken-value",
  tokenUrl: "https://login.example.com/oauth/token",
  scopes: ["read", "write", "openid"],
  expiresAt: "2031-05-06T07:08:09.000Z",
};
const base64 = (text: string) => Buffer.from(text).toString("base64");
const form = (text: string) => new URLSearchParams({ x: text }).toString().slice(2);

async function say(secret: Omit<FoundSecret, "expiresAt">, message: string): Promise<string | undefined> {
  const tasks = `  - { id: a, type: core/console.log, inputs: { message: ${JSON.stringify(message)} } }`;
  const outcome = await tryRun(tasks, { secrets: { S: secret } });
  return logged(outcome)[0];
}

describe("KM3: the secrecy of fields in a run", () => {
  it.each([
    "we read the docs and write the tests, openid too",
    "see https://login.example.com/oauth/token until 2031-05-06T07:08:09.000Z",
    "billing-service has started",
  ])("shows public fields and identifiers: %s", async (message) => {
    const outcome = await tryRun(`  - { id: a, type: core/console.log, inputs: { message: "${message}" } }`, {
      secrets: { S: { type: "oauth", fields: OAUTH } },
    });
    expect(logged(outcome)).toEqual([message]);
    expect(outcome.finished.masked).toEqual({});
  });

  it.each<[string, string]>([
    ["a client secret", OAUTH.clientSecret],
    ["an access token", OAUTH.accessToken],
    ["a refresh token", OAUTH.refreshToken],
    ["credentials", `${OAUTH.clientId}:${OAUTH.clientSecret}`],
    ["Basic credentials", base64(`${OAUTH.clientId}:${OAUTH.clientSecret}`)],
    ["Basic credentials of a form", base64(`${form(OAUTH.clientId)}:${form(OAUTH.clientSecret)}`)],
    ["base64 of Basic credentials", base64(base64(`${OAUTH.clientId}:${OAUTH.clientSecret}`))],
  ])("masks %s", async (_, text) => {
    expect(await say({ type: "oauth", fields: OAUTH }, `got (${text})`)).toBe(`got (${MASK})`);
  });

  it.each<[string, Omit<FoundSecret, "expiresAt">, string, string]>([
    [
      "a user name",
      { type: "basicAuth", fields: { username: "reporting", password: "pa55-word" } },
      "reporting has logged in with pa55-word, reporting:pa55-word",
      `reporting has logged in with ${MASK}, ${MASK}`,
    ],
    [
      "a user name that is masked as a word",
      {
        type: "basicAuth",
        fields: { username: "reporting", password: "pa55-word" },
        flags: { public: [], masked: ["username"] },
      },
      "reporting has logged in",
      `${MASK} has logged in`,
    ],
    [
      "a public field of a custom secret",
      {
        type: "custom",
        fields: { region: "eu-central-1", key: "k3y-of-the-bucket" },
        flags: { public: ["region"], masked: [] },
      },
      "eu-central-1 k3y-of-the-bucket",
      `eu-central-1 ${MASK}`,
    ],
    [
      "custom fields of any kind",
      { type: "custom", fields: { pin: 123456, region: "eu-central-1" } },
      "123456 eu-central-1",
      `${MASK} ${MASK}`,
    ],
    [
      "an expiry",
      { type: "bearerToken", fields: { token: "b3arer-token-value", expiresAt: "2031-05-06T07:08:09.000Z" } },
      "b3arer-token-value until 2031-05-06T07:08:09.000Z",
      `${MASK} until 2031-05-06T07:08:09.000Z`,
    ],
    [
      "a value of the environment",
      { type: "apiKey", fields: { value: "s3cret-value" } },
      "a s3cret-value",
      `a ${MASK}`,
    ],
  ])("%s", async (_, secret, message, expected) => {
    expect(await say(secret, message)).toBe(expected);
  });
});
