import type { AuditEvent, AuditLog, Permission, Roles, TokenMetadata, Tokens } from "@autokestra/secrets";
import { ROLES } from "@autokestra/secrets";
import { AutokestraError } from "@autokestra/secrets-core";
import { isUrl } from "@autokestra/secrets-core/internal";
import type { FastifyRequest } from "fastify";
import { countHeader } from "./hosts.ts";
import type { JwtVerifier } from "./jwt.ts";
import { actorOf, keyOf, type Principal, principalOfToken } from "./principal.ts";
import { addressKey, createRateLimiter, type RateLimiter, rateLimited } from "./rate-limiter.ts";

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

const MINUTE = 60_000;
/** How often the token of an answer that goes on is checked again, in milliseconds. */
const LOOK_MS = 2000;
const BEARER = /^Bearer +([A-Za-z0-9._~+/-]{1,8192}=*)$/i;
/** Methods that change nothing. */
const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);

/** Decides who may do what. */
export class AccessControl {
  readonly #options: AccessOptions;
  readonly #roles: Roles;
  readonly #requests: RateLimiter;
  readonly #refusals: RateLimiter;
  /** What was made of the tokens that are in use. */
  readonly #principals = new WeakMap<TokenMetadata, Principal>();

  constructor(options: AccessOptions) {
    const { roles = ROLES, requestsPerMinute = 6000, refusedPerMinute = 30 } = options;
    this.#options = options;
    this.#roles = roles;
    this.#requests = createRateLimiter({ limit: requestsPerMinute, windowMs: MINUTE });
    this.#refusals = createRateLimiter({ limit: refusedPerMinute, windowMs: MINUTE });
  }

  /** Finds out who makes a request. @throws AutokestraError `UNAUTHORIZED`, `RATE_LIMITED` */
  async authenticate(request: FastifyRequest): Promise<Principal> {
    if (request.principal !== null) return request.principal;
    const text = bearerOf(request);
    const principal = text === null ? null : await this.#identify(text);
    if (principal === null) return await this.refuse(request, unauthorized(this.#options.unauthorizedHint));
    const key = keyOf(principal);
    const seconds = this.#requests.count(key) || this.#refusals.check(key);
    if (seconds > 0) throw rateLimited(seconds);
    request.principal = principal;
    return principal;
  }

  /**
   * Checks what the route needs, and where the request comes from.
   *
   * @param permission null: any token will do
   * @throws AutokestraError `FORBIDDEN`
   */
  async authorize(request: FastifyRequest, permission: Permission | null): Promise<void> {
    const principal = request.principal ?? (await this.authenticate(request));
    const isAllowed = permission === null || principal.permissions.has(permission);
    if (isAllowed && (SAFE.has(request.method) || isFromOurOwn(request, this.#options.corsOrigins ?? []))) return;
    const detail = isAllowed
      ? "A page of another origin cannot change anything here"
      : `The token has no permission for this: it needs ${permission}`;
    await this.#refuse(request, keyOf(principal), forbidden(detail));
  }

  /**
   * For answers that go on: aborted once the token of the request may not do this any more, or `until` is.
   *
   * @param permission what the route needs
   */
  whileAllowed(request: FastifyRequest, permission: Permission, until: AbortSignal): AbortSignal {
    const over = new AbortController();
    const look = async (): Promise<void> => {
      const text = bearerOf(request);
      // What cannot be found out counts as no: the client comes back, and is told why.
      const principal = text === null ? null : await this.#identify(text).catch(() => null);
      if (principal?.permissions.has(permission) !== true) over.abort();
    };
    const timer = setInterval(() => void look(), LOOK_MS);
    const signal = AbortSignal.any([until, over.signal]);
    signal.addEventListener("abort", () => clearInterval(timer), { once: true });
    if (signal.aborted) clearInterval(timer);
    return signal;
  }

  /**
   * For what is expensive to verify: call it before.
   *
   * @throws AutokestraError `RATE_LIMITED` where an address has had too many refused
   */
  checkRefused(request: FastifyRequest): void {
    const seconds = this.#refusals.check(addressKey(request.ip));
    if (seconds > 0) throw rateLimited(seconds);
  }

  /**
   * Counts and records an attempt that is refused without a token that is taken: there is none, or a signature is wrong.
   *
   * @throws this error; `RATE_LIMITED` where there were too many
   */
  async refuse(request: FastifyRequest, error: AutokestraError): Promise<never> {
    return await this.#refuse(request, addressKey(request.ip), error);
  }

  async #refuse(request: FastifyRequest, key: string, error: AutokestraError): Promise<never> {
    const seconds = this.#refusals.count(key);
    if (seconds > 0) throw rateLimited(seconds);
    await this.#recordRefusal(request);
    throw error;
  }

  /** Whether it can be recorded or not, the attempt is refused. */
  async #recordRefusal(request: FastifyRequest): Promise<void> {
    const actor = actorOf(request.principal, request.ip);
    const event: AuditEvent = { actor, action: "refused", outcome: "refused", requestId: request.id };
    await this.#options.audit?.record(event).catch(() => undefined);
  }

  async #identify(text: string): Promise<Principal | null> {
    const { tokens, jwt } = this.#options;
    const token = await tokens.find(text);
    if (token !== null) return this.#principalOf(token);
    return jwt !== undefined && text.split(".").length === 3 ? await jwt(text, this.#roles) : null;
  }

  #principalOf(token: TokenMetadata): Principal {
    const known = this.#principals.get(token) ?? principalOfToken(token, this.#roles);
    this.#principals.set(token, known);
    return known;
  }
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
