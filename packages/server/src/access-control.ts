import type { AuditAction, AuditEvent, AuditLog, Permission, Roles, TokenMetadata, Tokens } from "@autokestra/secrets";
import { ROLES } from "@autokestra/secrets";
import { AutokestraError } from "@autokestra/secrets-core";
import { isUrl } from "@autokestra/secrets-core/internal";
import type { FastifyRequest } from "fastify";
import { countHeader } from "./hosts.ts";
import type { JwtVerifier } from "./jwt.ts";
import { actorOf, type Principal, principalOfToken } from "./principal.ts";
import { addressKey, createRateLimiter, rateLimited } from "./rate-limiter.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Who makes the request; null before that is known. */
    principal: Principal | null;
  }
}

export interface AccessOptions {
  readonly tokens: Pick<Tokens, "find">;
  /** Signed tokens that are taken, too. Default: none. */
  readonly jwt?: JwtVerifier | undefined;
  /** What each role may do. Default: the built-in ones. */
  readonly roles?: Roles | undefined;
  /** Where refused attempts are recorded. Default: nowhere. */
  readonly audit?: Pick<AuditLog, "record"> | null | undefined;
  /** Origins whose pages may change something. Default: none but our own. */
  readonly corsOrigins?: readonly string[] | undefined;
  /** How many requests one token may make in a minute. Default: 6000. */
  readonly requestsPerMinute?: number | undefined;
  /** How many attempts are refused with their reason, of one address or one token, in a minute. Default: 30. */
  readonly refusedPerMinute?: number | undefined;
  /** What people are told who have no token. Default: that one is needed. */
  readonly unauthorizedHint?: string | undefined;
}

/** Decides who may do what. */
export interface AccessControl {
  /** Finds out who makes a request. @throws AutokestraError `UNAUTHORIZED`, `RATE_LIMITED` */
  authenticate(request: FastifyRequest): Promise<Principal>;
  /**
   * Checks what the route needs, and where the request comes from.
   *
   * @param permission null: any token will do
   * @throws AutokestraError `FORBIDDEN`
   */
  authorize(request: FastifyRequest, permission: Permission | null): Promise<void>;
  /**
   * For answers that go on: aborted once the token of the request may not do this any more, or `until` is.
   *
   * @param permission what the route needs
   */
  whileAllowed(request: FastifyRequest, permission: Permission, until: AbortSignal): AbortSignal;
  /**
   * Counts and records an attempt that something else than a token has refused, such as a wrong signature.
   *
   * @throws this error; `RATE_LIMITED` where there were too many
   */
  refuse(request: FastifyRequest, error: AutokestraError): Promise<never>;
  /**
   * For what is dear to verify: call it before.
   *
   * @throws AutokestraError `RATE_LIMITED` where an address has had too many refused
   */
  checkRefused(request: FastifyRequest): void;
}

const MINUTE = 60_000;
/** How often tokens of answers that go on are looked at. */
const LOOK_MS = 2000;
const BEARER = /^Bearer +([A-Za-z0-9._~+/-]{1,8192}=*)$/i;
/** Methods that change nothing. */
const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);

export function createAccessControl(options: AccessOptions): AccessControl {
  const { tokens, jwt, roles = ROLES, audit = null, corsOrigins = [], unauthorizedHint } = options;
  const { requestsPerMinute = 6000, refusedPerMinute = 30 } = options;
  const requests = createRateLimiter({ limit: requestsPerMinute, windowMs: MINUTE });
  const refusals = createRateLimiter({ limit: refusedPerMinute, windowMs: MINUTE });

  /** What was made of the tokens that are in use. */
  const principals = new WeakMap<TokenMetadata, Principal>();

  function principalOf(token: TokenMetadata): Principal {
    const known = principals.get(token) ?? principalOfToken(token, roles);
    principals.set(token, known);
    return known;
  }

  async function identify(text: string): Promise<Principal | null> {
    const token = await tokens.find(text);
    if (token !== null) return principalOf(token);
    return jwt !== undefined && text.split(".").length === 3 ? await jwt(text, roles) : null;
  }

  /** Whether it can be recorded or not, the attempt is refused. */
  async function recordRefusal(request: FastifyRequest): Promise<void> {
    const action: AuditAction = "refused";
    const actor = actorOf(request.principal, request.ip);
    const event: AuditEvent = { actor, action, outcome: "refused", requestId: request.id };
    await audit?.record(event).catch(() => undefined);
  }

  async function refuse(request: FastifyRequest, key: string, error: () => AutokestraError): Promise<never> {
    const seconds = refusals.count(key);
    if (seconds > 0) throw rateLimited(seconds);
    await recordRefusal(request);
    throw error();
  }

  return {
    async authenticate(request) {
      if (request.principal !== null) return request.principal;
      const text = bearerOf(request);
      const principal = text === null ? null : await identify(text);
      if (principal === null) {
        return await refuse(request, addressKey(request.ip), () => unauthorized(unauthorizedHint));
      }
      const key = `${principal.kind} ${principal.id}`;
      const seconds = requests.count(key) || refusals.check(key);
      if (seconds > 0) throw rateLimited(seconds);
      request.principal = principal;
      return principal;
    },

    async authorize(request, permission) {
      const principal = request.principal ?? (await this.authenticate(request));
      const isAllowed = permission === null || principal.permissions.has(permission);
      if (isAllowed && (SAFE.has(request.method) || isFromOurOwn(request, corsOrigins))) return;
      const detail = isAllowed
        ? "A page of another origin cannot change anything here"
        : `The token has no permission for this: it needs ${permission}`;
      await refuse(request, `${principal.kind} ${principal.id}`, () => forbidden(detail));
    },

    whileAllowed(request, permission, until) {
      const over = new AbortController();
      const look = async (): Promise<void> => {
        const text = bearerOf(request);
        // What cannot be found out counts as no: the client comes back, and is told why.
        const principal = text === null ? null : await identify(text).catch(() => null);
        if (principal?.permissions.has(permission) !== true) over.abort();
      };
      const timer = setInterval(() => void look(), LOOK_MS);
      const signal = AbortSignal.any([until, over.signal]);
      signal.addEventListener("abort", () => clearInterval(timer), { once: true });
      if (signal.aborted) clearInterval(timer);
      return signal;
    },

    checkRefused(request) {
      const seconds = refusals.check(addressKey(request.ip));
      if (seconds > 0) throw rateLimited(seconds);
    },

    refuse: async (request, error) => await refuse(request, addressKey(request.ip), () => error),
  };
}

/** The token of a request: from one `Authorization` header, and from nowhere else. */
function bearerOf(request: FastifyRequest): string | null {
  if (countHeader(request.raw, "authorization") !== 1) return null;
  return BEARER.exec(request.headers.authorization ?? "")?.[1] ?? null;
}

/** Browsers say which page makes a request. */
function isFromOurOwn({ headers, host }: FastifyRequest, corsOrigins: readonly string[]): boolean {
  const { origin } = headers;
  if (origin !== undefined && corsOrigins.includes(origin)) return true;
  if (headers["sec-fetch-site"] === "cross-site") return false;
  if (origin === undefined) return true;
  return isUrl(origin) && new URL(origin).host === host.toLowerCase();
}

/** @param detail what the token lacks, or what it may not do */
export function forbidden(detail: string): AutokestraError {
  return new AutokestraError("FORBIDDEN", detail);
}

function unauthorized(hint: string | undefined): AutokestraError {
  const detail = "A valid token is needed, in one header: Authorization: Bearer TOKEN";
  return new AutokestraError("UNAUTHORIZED", hint === undefined ? detail : `${detail}. ${hint}`);
}
