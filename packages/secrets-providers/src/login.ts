import { readFile } from "node:fs/promises";
import type { CallLimits, SourceFailure } from "@autokestra/secrets-core";
import { errorCode, z } from "@autokestra/secrets-core/internal";
import { denied, type Failure, malformed, quoteLong } from "./answers.ts";
import type { HttpResponse } from "./exchange.ts";
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
  const { logIn, giveBack, hasEnded, timeoutMs = 5000, now = Date.now } = options;
  let held: Held<Token> | null = null;
  let refused: { readonly failure: Failure; readonly until: number } | null = null;
  let running: Promise<Held<Token> | Failure> | null = null;
  /** The earliest time of the next login after a refused call. */
  let nextAttemptAt = 0;
  /** Tokens that a newer one has replaced, and that are still in use. */
  const replaced = new Set<Held<Token>>();
  const returning = new Set<Promise<unknown>>();

  /** Has its own time limit, because the call that has started it can give up while others still wait. */
  function start(): Promise<Held<Token> | Failure> {
    running ??= attempt().finally(() => {
      running = null;
    });
    return running;
  }

  async function attempt(): Promise<Held<Token> | Failure> {
    if (refused !== null && now() < refused.until) return refused.failure;
    const answer = await withinLimits<Token>(timeoutMs, undefined, async (limits) => {
      const result = await logIn(limits);
      return "token" in result ? { status: "found", secret: result } : result;
    });
    if (answer.status === "found") {
      refused = null;
      const last = held;
      held = { token: answer.secret, since: now(), calls: 0 };
      // One that was prolonged is still the same.
      if (last !== null && last.token.token !== held.token.token) replaced.add(last);
      returnReplaced();
      return held;
    }
    // A missing path of the login says nothing about a secret.
    const failure = answer.status === "notFound" ? malformed(answer.reason ?? "the login was not found") : answer;
    if (failure.status !== "unavailable") refused = { failure, until: now() + REFUSED_MS };
    return failure;
  }

  function returnReplaced(): void {
    for (const item of replaced) {
      if (item.calls > 0) continue;
      replaced.delete(item);
      returnToken(item);
    }
  }

  function returnToken({ token }: Held<Token>): void {
    if (giveBack === undefined) return;
    const ending = withinLimits(GIVE_BACK_MS, undefined, async (limits) => {
      await giveBack(token, limits);
      return { status: "found", secret: null };
    });
    returning.add(ending);
    void ending.finally(() => returning.delete(ending));
  }

  async function current(signal: AbortSignal): Promise<Held<Token> | Failure> {
    if (held !== null && !isEnding(held, now())) return held;
    const renewed = await untilAborted(start(), signal, LATE);
    // While the last token is valid, a failed renewal does not matter.
    return "reason" in renewed && held !== null && now() < (held.token.endsAt ?? Number.POSITIVE_INFINITY)
      ? held
      : renewed;
  }

  async function isRejected({ token }: Held<Token>, status: number | string, limits: CallLimits): Promise<boolean> {
    if (status !== 403) return status === 401;
    return mayHaveEnded(token, now()) || (await hasEnded?.(token.token, limits)) === true;
  }

  async function callWith<Answer>(item: Held<Token>, call: (token: string) => Promise<Answer>): Promise<Answer> {
    item.calls += 1;
    try {
      return await call(item.token.token);
    } finally {
      item.calls -= 1;
      returnReplaced();
    }
  }

  return {
    async use(limits, call) {
      const before = held;
      const first = await current(limits.signal);
      if (!("token" in first)) return first;
      const response = await callWith(first, call);
      if (first !== before || !(await isRejected(first, response.status, limits))) return response;
      if (held === first) {
        if (now() < nextAttemptAt) return response;
        nextAttemptAt = now() + REFUSED_MS;
        held = null;
      }
      const second = held ?? (await untilAborted(start(), limits.signal, LATE));
      if (!("token" in second)) return second;
      return second.token.token === first.token.token ? response : await callWith(second, call);
    },
    async close() {
      if (giveBack !== undefined) await running;
      if (held !== null) returnToken(held);
      held = null;
      await Promise.all(returning);
    },
  };
}

function isEnding({ since, token: { endsAt } }: Held<LoginToken>, now: number): boolean {
  return endsAt !== undefined && endsAt - now < Math.min(RENEW_BEFORE_MS, (endsAt - since) / 3);
}

/** A token without a known expiry comes from a file or a variable, and reading it again costs nothing. */
function mayHaveEnded({ endsAt }: LoginToken, now: number): boolean {
  return endsAt === undefined || now >= endsAt;
}

/** Where an existing token comes from. */
export interface TokenOptions {
  readonly token?: string | undefined;
  /** The name of the environment variable with the token. */
  readonly tokenEnv?: string | undefined;
  /** The path of the file with the token. One newline at its end is removed. */
  readonly tokenFile?: string | undefined;
}

/** The schema of {@link TokenOptions} in a configuration. */
export const tokenShape: {
  token: z.ZodExactOptional<z.ZodString>;
  tokenEnv: z.ZodExactOptional<z.ZodString>;
  tokenFile: z.ZodExactOptional<z.ZodString>;
} = {
  token: z.string().exactOptional(),
  tokenEnv: z.string().exactOptional(),
  tokenFile: z.string().exactOptional(),
};

/** Reads an existing token. Use it as the `logIn` of {@link createLogin}. */
export async function readToken(options: TokenOptions, env: NodeJS.ProcessEnv): Promise<LoginToken | SourceFailure> {
  const { token, tokenEnv, tokenFile } = options;
  if (tokenFile !== undefined) return await readTokenFile(tokenFile);
  const value = token ?? (tokenEnv === undefined ? undefined : env[tokenEnv]);
  if (value) return checkToken(value, tokenEnv === undefined ? "the token" : `the token in ${tokenEnv}`);
  return denied(tokenEnv === undefined ? "there is no token" : `there is no token in ${tokenEnv}`, "Give it one.");
}

async function readTokenFile(path: string): Promise<LoginToken | SourceFailure> {
  try {
    const text = (await readFile(path, "utf8")).replace(/\r?\n$/, "");
    return checkToken(text, `the token in ${quoteLong(path)}`);
  } catch (error) {
    return denied(`the token file ${quoteLong(path)} cannot be read (${errorCode(error) || "unknown error"})`);
  }
}

/** Checks that a token can be sent in a header. Otherwise the error of a library would quote it. */
function checkToken(token: string, what: string): LoginToken | SourceFailure {
  return /^[\x21-\x7e]+$/.test(token) ? { token } : denied(`${what} is empty, or holds a space or a line break`);
}
