import { readFile } from "node:fs/promises";
import type { Roles } from "@autokestra/secrets";
import { AutokestraError } from "@autokestra/secrets-core";
import type { JWTPayload, JWTVerifyGetKey } from "jose";
import { type Principal, permissionsOf } from "./principal.ts";

/** Which signed tokens are accepted. Exactly one of `jwksUri` and `jwksFile` says where the public keys are. */
export interface JwtOptions {
  readonly issuer: string;
  readonly audience: string;
  /** A URL. It is asked at most every 30 seconds. */
  readonly jwksUri?: string | undefined;
  /** The path of a file. */
  readonly jwksFile?: string | undefined;
  /** The claim with a role, or a list of roles. Default: `roles`. */
  readonly rolesClaim?: string | undefined;
  /** The claims with beginnings of names, and with tags. Default: none, and a token sees all secrets. */
  readonly prefixesClaim?: string | undefined;
  readonly tagsClaim?: string | undefined;
}

/** Verifies signed tokens. Null for one that is not taken. */
export type JwtVerifier = (token: string, roles: Roles) => Promise<Principal | null>;

/** Signatures with a public key only: with `none` or an HMAC, a public key would be all that it takes to make a token. */
const ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
];

/** How far the clocks may be apart. */
const SKEW_SECONDS = 60;

/** @throws AutokestraError `OPTION_INVALID` where the file with the keys cannot be used */
export async function createJwtVerifier(options: JwtOptions): Promise<JwtVerifier> {
  const { issuer, audience } = options;
  const { errors, jwtVerify } = await import("jose");
  const keys = await readKeys(options);
  return async (token, roles) => {
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer,
        audience,
        algorithms: ALGORITHMS,
        clockTolerance: SKEW_SECONDS,
        requiredClaims: ["exp", "sub"],
      });
      return toPrincipal(payload, options, roles);
    } catch (error) {
      // Keys that cannot be fetched let nobody in either.
      if (error instanceof errors.JOSEError || error instanceof TypeError) return null;
      throw error;
    }
  };
}

async function readKeys({ jwksUri, jwksFile }: JwtOptions): Promise<JWTVerifyGetKey> {
  const { createLocalJWKSet, createRemoteJWKSet } = await import("jose");
  if (jwksUri !== undefined)
    return createRemoteJWKSet(new URL(jwksUri), { cooldownDuration: 30_000, timeoutDuration: 5000 });
  try {
    return createLocalJWKSet(JSON.parse(await readFile(jwksFile ?? "", "utf8")));
  } catch {
    throw new AutokestraError("OPTION_INVALID", "The file with the public keys of signed tokens cannot be used");
  }
}

function toPrincipal(payload: JWTPayload, options: JwtOptions, roles: Roles): Principal | null {
  const { rolesClaim = "roles", prefixesClaim, tagsClaim } = options;
  const names = textsOf(payload[rolesClaim]);
  if (names === null || typeof payload.sub !== "string" || payload.exp === undefined) return null;
  return {
    kind: "jwt",
    id: payload.sub,
    name: null,
    roles: names,
    permissions: permissionsOf(names, roles),
    expiresAt: toTime(payload.exp),
    prefixes: narrowedBy(payload, prefixesClaim),
    tags: narrowedBy(payload, tagsClaim),
  };
}

/** Null for one that is after all times that can be written: it never comes. */
function toTime(seconds: number): string | null {
  const time = new Date(seconds * 1000);
  return Number.isNaN(time.getTime()) ? null : time.toISOString();
}

/** A claim that is asked for and is missing, or is no list of texts, lets nothing be seen. */
function narrowedBy(payload: JWTPayload, claim: string | undefined): readonly string[] | null {
  return claim === undefined ? null : (textsOf(payload[claim]) ?? []);
}

function textsOf(claim: unknown): readonly string[] | null {
  if (typeof claim === "string") return claim === "" ? null : [claim];
  return Array.isArray(claim) && claim.every((text) => typeof text === "string") ? claim : null;
}
