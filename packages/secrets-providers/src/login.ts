import type { CallLimits } from "@autokestra/secrets-core";
import { type Failure, malformed } from "./answers.ts";
import type { HttpRequest, HttpResponse } from "./exchange.ts";
import type { HttpClient } from "./http-call.ts";
import { untilAborted, withinLimits } from "./limits.ts";

/** The token of a login. */
export interface LoginToken {
  readonly token: string;
  /** When it expires, in milliseconds since 1970. Default: not known. */
  readonly endsAt?: number | undefined;
}

export interface LoginOptions<Token extends LoginToken = LoginToken> {
  /** Requests or reads a token. Called again when the last one expires or is refused, so that files are read again. */
  readonly logIn: (limits: CallLimits) => Promise<Token | Failure>;
  /**
   * Revokes a token that was made here: the last one when the login is closed, and one that a newer one replaces.
   * Default: tokens expire by themselves.
   */
  readonly giveBack?: ((token: Token, limits: CallLimits) => Promise<unknown>) | undefined;
  /**
   * Tells after a 403 whether the token was revoked, for servers that also answer 403 if a permission is missing.
   * Default: it was not.
   */
  readonly hasEnded?: ((token: string, limits: CallLimits) => Promise<boolean>) | undefined;
  /** The time limit of one login, in milliseconds. Default: 5000. */
  readonly timeoutMs?: number | undefined;
  /** Returns the current time in milliseconds. Default: `Date.now`. */
  readonly now?: (() => number) | undefined;
}

export interface Login {
  /**
   * Makes a call with the token, after logging in if there is none. If the call is refused because the token has
   * expired, logs in again and repeats it.
   */
  use<Answer extends { readonly status: number | string } = HttpResponse>(
    limits: CallLimits,
    call: (token: string) => Promise<Answer | Failure>,
  ): Promise<Answer | Failure>;
  /** Revokes the token, and waits up to 3 s for all tokens that are being revoked. */
  close(): Promise<void>;
}

/**
 * The pause after a refused login, in milliseconds, so that a wrong token does not use up a rate limit or lock an
 * account.
 */
const REFUSED_MS = 30_000;
/** A token is replaced when less than this time, in milliseconds, or less than a third of its life is left. */
const RENEW_BEFORE_MS = 60_000;
/** The time limit for revoking a token, in milliseconds: a server that hangs does so here too. */
const GIVE_BACK_MS = 3000;

const LATE = "no login in time";

interface Held<Token> {
  readonly token: Token;
  readonly since: number;
  /** Calls that are being made with it. */
  calls: number;
}

/** Shares one login among all calls of a provider. Only one login is made at a time. */
export function createLogin<Token extends LoginToken = LoginToken>(options: LoginOptions<Token>): Login {
  return new SharedLogin(options);
}

class SharedLogin<Token extends LoginToken> implements Login {
  readonly #options: LoginOptions<Token>;
  readonly #now: () => number;
  #held: Held<Token> | null = null;
  #refused: { readonly failure: Failure; readonly until: number } | null = null;
  #running: Promise<Held<Token> | Failure> | null = null;
  /** The earliest time of the next login after a refused call. */
  #nextAttemptAt = 0;
  /** Tokens that a newer one has replaced, and that are still in use. */
  readonly #replaced = new Set<Held<Token>>();
  readonly #returning = new Set<Promise<unknown>>();

  constructor(options: LoginOptions<Token>) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  async use<Answer extends { readonly status: number | string } = HttpResponse>(
    limits: CallLimits,
    call: (token: string) => Promise<Answer | Failure>,
  ): Promise<Answer | Failure> {
    const before = this.#held;
    const first = await this.#current(limits.signal);
    if (!("token" in first)) return first;
    const response = await this.#callWith(first, call);
    if (first !== before || !(await this.#isRejected(first, response.status, limits))) return response;
    if (this.#held === first) {
      if (this.#now() < this.#nextAttemptAt) return response;
      this.#nextAttemptAt = this.#now() + REFUSED_MS;
      this.#held = null;
    }
    const second = this.#held ?? (await untilAborted(this.#start(), limits.signal, LATE));
    if (!("token" in second)) return second;
    return second.token.token === first.token.token ? response : await this.#callWith(second, call);
  }

  async close(): Promise<void> {
    if (this.#options.giveBack !== undefined) await this.#running;
    if (this.#held !== null) this.#returnToken(this.#held);
    this.#held = null;
    await Promise.all(this.#returning);
  }

  async #current(signal: AbortSignal): Promise<Held<Token> | Failure> {
    const held = this.#held;
    if (held !== null && !isEnding(held, this.#now())) return held;
    const renewed = await untilAborted(this.#start(), signal, LATE);
    // While the last token is valid, a failed renewal does not matter.
    const last = this.#held;
    return "reason" in renewed && last !== null && this.#now() < (last.token.endsAt ?? Number.POSITIVE_INFINITY)
      ? last
      : renewed;
  }

  /** Has its own time limit, because the call that has started it can give up while others still wait. */
  #start(): Promise<Held<Token> | Failure> {
    this.#running ??= this.#attempt().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #attempt(): Promise<Held<Token> | Failure> {
    const { logIn, timeoutMs = 5000 } = this.#options;
    if (this.#refused !== null && this.#now() < this.#refused.until) return this.#refused.failure;
    const answer = await withinLimits<Token>(timeoutMs, undefined, async (limits) => {
      const result = await logIn(limits);
      return "token" in result ? { status: "found", secret: result } : result;
    });
    if (answer.status === "found") return this.#replace(answer.secret);
    // A missing path of the login says nothing about a secret.
    const failure = answer.status === "notFound" ? malformed(answer.reason ?? "the login was not found") : answer;
    if (failure.status !== "unavailable") this.#refused = { failure, until: this.#now() + REFUSED_MS };
    return failure;
  }

  #replace(token: Token): Held<Token> {
    this.#refused = null;
    const last = this.#held;
    const held = { token, since: this.#now(), calls: 0 };
    this.#held = held;
    // One that was prolonged is still the same.
    if (last !== null && last.token.token !== token.token) this.#replaced.add(last);
    this.#returnReplaced();
    return held;
  }

  #returnReplaced(): void {
    for (const item of this.#replaced) {
      if (item.calls > 0) continue;
      this.#replaced.delete(item);
      this.#returnToken(item);
    }
  }

  #returnToken({ token }: Held<Token>): void {
    const { giveBack } = this.#options;
    if (giveBack === undefined) return;
    const ending = withinLimits(GIVE_BACK_MS, undefined, async (limits) => {
      await giveBack(token, limits);
      return { status: "found", secret: null };
    });
    this.#returning.add(ending);
    void ending.finally(() => this.#returning.delete(ending));
  }

  async #isRejected({ token }: Held<Token>, status: number | string, limits: CallLimits): Promise<boolean> {
    if (status !== 403) return status === 401;
    return mayHaveEnded(token, this.#now()) || (await this.#options.hasEnded?.(token.token, limits)) === true;
  }

  async #callWith<Answer>(item: Held<Token>, call: (token: string) => Promise<Answer>): Promise<Answer> {
    item.calls += 1;
    try {
      return await call(item.token.token);
    } finally {
      item.calls -= 1;
      this.#returnReplaced();
    }
  }
}

/** Sends a request with the token of a login, as a bearer token. */
export async function sendSignedIn(
  login: Pick<Login, "use">,
  client: HttpClient,
  request: HttpRequest,
  limits: CallLimits,
): Promise<HttpResponse | Failure> {
  return await login.use(limits, async (token) => {
    const headers = { ...request.headers, authorization: `Bearer ${token}` };
    return await client.send({ ...request, headers }, limits);
  });
}

function isEnding({ since, token: { endsAt } }: Held<LoginToken>, now: number): boolean {
  return endsAt !== undefined && endsAt - now < Math.min(RENEW_BEFORE_MS, (endsAt - since) / 3);
}

/** A token without a known expiry comes from a file or a variable, and reading it again costs nothing. */
function mayHaveEnded({ endsAt }: LoginToken, now: number): boolean {
  return endsAt === undefined || now >= endsAt;
}
