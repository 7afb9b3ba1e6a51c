import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type AgeStanza, unwrapWithPassphrase, wrapWithPassphrase } from "../src/internal.ts";

const PASSPHRASE = "correct horse battery staple";
const FILE_KEY = randomBytes(16);

describe("the key of an age file under a passphrase", () => {
  it("comes back with that passphrase alone", async () => {
    const stanza = await wrapWithPassphrase(PASSPHRASE, FILE_KEY, 4);
    expect(stanza).toMatchObject({ args: ["scrypt", expect.stringMatching(/^[A-Za-z0-9+/]{22}$/), "4"] });
    expect(await unwrapWithPassphrase(PASSPHRASE, [stanza])).toEqual(FILE_KEY);
    expect(await unwrapWithPassphrase("another passphrase", [stanza])).toBeNull();
  });

  it.each<[string, (stanza: AgeStanza) => readonly AgeStanza[]]>([
    ["there is none", () => []],
    ["there is another recipient", (stanza) => [stanza, stanza]],
    ["it is of another type", ({ args, body }) => [{ args: ["X25519", ...args.slice(1)], body }]],
    ["an argument is missing", ({ args, body }) => [{ args: args.slice(0, 2), body }]],
    ["there is one more argument", ({ args, body }) => [{ args: [...args, "x"], body }]],
    ["the salt is shorter", ({ args, body }) => [{ args: ["scrypt", "AAAA", args[2] ?? ""], body }]],
    ["the salt is spelled otherwise", ({ args, body }) => [{ args: ["scrypt", `${args[1]}==`, args[2] ?? ""], body }]],
    ["the work is too much", ({ args, body }) => [{ args: ["scrypt", args[1] ?? "", "21"], body }]],
    ["the work is no number", ({ args, body }) => [{ args: ["scrypt", args[1] ?? "", "04"], body }]],
    ["the work is changed", ({ args, body }) => [{ args: ["scrypt", args[1] ?? "", "5"], body }]],
    ["the body is longer", ({ args, body }) => [{ args, body: Buffer.concat([body, Buffer.from([0])]) }]],
    ["the body is changed", ({ args, body }) => [{ args, body: body.map((byte, at) => (at === 0 ? byte ^ 1 : byte)) }]],
  ])("does not where %s", async (_, change) => {
    const stanza = await wrapWithPassphrase(PASSPHRASE, FILE_KEY, 4);
    expect(await unwrapWithPassphrase(PASSPHRASE, change(stanza))).toBeNull();
  });
});
