import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { variantsOf } from "../src/variants/variants.ts";
import { NASTY, NON_ASCII, TOKEN } from "./sample-values.ts";

/** As long as a PEM of this many bytes, and always the same. */
function pemOf(bytes: number): string {
  const blocks = Array.from({ length: Math.ceil(bytes / 32) }, (_, index) =>
    createHash("sha256").update(`${index}`).digest(),
  );
  const base64 = Buffer.concat(blocks).subarray(0, bytes).toString("base64");
  const body = base64.match(/.{1,64}/g) ?? [];
  return ["-----BEGIN PRIVATE KEY-----", ...body, "-----END PRIVATE KEY-----", ""].join("\n");
}

const SERVICE_ACCOUNT = JSON.stringify(
  {
    type: "service_account",
    project_id: "example-project",
    private_key_id: "0123456789abcdef0123456789abcdef01234567",
    private_key: pemOf(1_217),
    client_email: "robot@example-project.iam.example.com",
    client_id: "104982763510092837461",
    auth_uri: "https://accounts.example.com/o/oauth2/auth",
    token_uri: "https://oauth2.example.com/token",
  },
  null,
  2,
);

/** The README has these numbers. */
it.each([
  ["a PIN of 6 digits", "902107"],
  ["a token of letters and digits", TOKEN],
  ["a password of letters and signs", "Tr0ub4dor&3-xkcd!"],
  ["the URL of a database, with a password", "postgres://app:hunter2-hunter2@db.example:5432/app"],
  ["a value full of quotes and signs", NASTY],
  ["a value that is not ASCII", NON_ASCII],
  ["a PEM, Ed25519", pemOf(48)],
  ["a PEM, RSA 2048", pemOf(1_217)],
  ["a PEM, RSA 4096", pemOf(2_374)],
  ["JSON of a service account, with RSA 2048", SERVICE_ACCOUNT],
])("the README says in how many texts it is looked for: %s", (kind, value) => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const made = variantsOf(value);
  const row = `| ${kind} | ${value.length} | ${made.length} |`;
  expect(readme.split("\n").filter((line) => line.startsWith(`| ${kind} |`))).toEqual([row]);
});

it("no piece of an encoding is shorter than 8 characters, no line of one shorter than 16", () => {
  for (const value of [TOKEN, NASTY, NON_ASCII, "abcd", "é🔑ab", SERVICE_ACCOUNT]) {
    for (const { kind, text } of variantsOf(value)) {
      if (/^(base64|base64url|hex|utf16)$/.test(kind)) expect(text.length).toBeGreaterThanOrEqual(8);
      if (kind.endsWith("-lines")) expect(text.length).toBeGreaterThanOrEqual(16);
    }
  }
});
