import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROLES } from "@autokestra/secrets";
import { temporaryFolder } from "@autokestra/test-kit";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { createJwtVerifier, type JwtVerifier } from "../src/jwt.ts";

const ISSUER = "https://id.example";
const AUDIENCE = "autokestra";

let keys: Awaited<ReturnType<typeof generateKeyPair>>;
let jwks: string;
let verify: JwtVerifier;

beforeAll(async () => {
  keys = await generateKeyPair("ES256", { extractable: true });
  jwks = JSON.stringify({ keys: [{ ...(await exportJWK(keys.publicKey)), kid: "k1", alg: "ES256" }] });
});

async function verifier(more: object = {}): Promise<JwtVerifier> {
  const jwksFile = join(temporaryFolder(), "jwks.json");
  writeFileSync(jwksFile, jwks);
  return await createJwtVerifier({ issuer: ISSUER, audience: AUDIENCE, jwksFile, ...more });
}

const CLAIMS = { sub: "ada", iss: ISSUER, aud: AUDIENCE, roles: ["reader"] };

async function sign(
  claims: Readonly<Record<string, unknown>> = {},
  expires: string | number | null = "5m",
): Promise<string> {
  const jwt = new SignJWT({ ...CLAIMS, ...claims }).setProtectedHeader({ alg: "ES256", kid: "k1" });
  if (expires !== null) jwt.setExpirationTime(expires);
  return await jwt.sign(keys.privateKey);
}

const now = () => Math.floor(Date.now() / 1000);

describe("signed tokens", () => {
  it("say who somebody is and what they may do", async () => {
    verify = await verifier();
    const principal = await verify(await sign(), ROLES);
    expect(principal).toMatchObject({ kind: "jwt", id: "ada", prefixes: null, tags: null });
    expect([...(principal?.permissions ?? [])]).toEqual(["secrets:read"]);
    expect([...((await verify(await sign({ roles: "revealer" }), ROLES))?.permissions ?? [])]).toContain(
      "secrets:reveal",
    );
    expect((await verify(await sign({ roles: ["none", "constructor"] }), ROLES))?.permissions.size).toBe(0);
    expect(await verify(await sign({}, now() - 30), ROLES)).not.toBe(null);
  });

  it("narrow by their claims, and see nothing where these are missing", async () => {
    verify = await verifier({ prefixesClaim: "names", tagsClaim: "tags", rolesClaim: "role" });
    const whole = await verify(await sign({ role: "reader", names: ["CI_"], tags: "ci" }), ROLES);
    expect(whole).toMatchObject({ prefixes: ["CI_"], tags: ["ci"] });
    expect(await verify(await sign({ role: "reader", names: 7 }), ROLES)).toMatchObject({ prefixes: [], tags: [] });
  });

  it.each<[string, () => Promise<string>]>([
    ["expired ones", async () => await sign({}, now() - 61)],
    ["those without an expiry", async () => await sign({}, null)],
    ["those of somebody else", async () => await sign({ iss: "https://evil.example" })],
    ["those for somebody else", async () => await sign({ aud: "other" })],
    ["those without a subject", async () => await sign({ sub: undefined })],
    ["those without roles", async () => await sign({ roles: undefined })],
    ["those with roles that are none", async () => await sign({ roles: [7] })],
    ["those that are not valid yet", async () => await sign({ nbf: now() + 120 })],
    ["those with another signature", async () => `${(await sign()).slice(0, -8)}AAAAAAAA`],
    ["those without a signature", async () => `${unsigned({ alg: "none" })}.`],
    ["those of another key", signedByAnother],
    ["those that are signed with the public key", signedWithPublicKey],
    ["what is none", async () => "a.b.c"],
  ])("are not taken: %s", async (_, make) => {
    expect(await (await verifier())(await make(), ROLES)).toBe(null);
  });

  it("need keys that can be read", async () => {
    const options = { issuer: ISSUER, audience: AUDIENCE };
    await expect(createJwtVerifier({ ...options, jwksFile: "/none" })).rejects.toMatchObject({
      code: "OPTION_INVALID",
    });
    const remote = await createJwtVerifier({ ...options, jwksUri: "http://127.0.0.1:1/keys" });
    expect(await remote(await sign(), ROLES)).toBe(null);
  });
});

function unsigned(header: object): string {
  const part = (json: object) => Buffer.from(JSON.stringify(json)).toString("base64url");
  return `${part(header)}.${part({ ...CLAIMS, exp: now() + 300 })}`;
}

async function signedByAnother(): Promise<string> {
  const { privateKey } = await generateKeyPair("ES256");
  const jwt = new SignJWT(CLAIMS).setProtectedHeader({ alg: "ES256", kid: "k1" }).setExpirationTime("5m");
  return await jwt.sign(privateKey);
}

async function signedWithPublicKey(): Promise<string> {
  const jwt = new SignJWT(CLAIMS).setProtectedHeader({ alg: "HS256", kid: "k1" }).setExpirationTime("5m");
  return await jwt.sign(new TextEncoder().encode(jwks));
}
