import { readFile } from "node:fs/promises";
import type { CallLimits, SourceFailure } from "@autokestra/secrets-core";
import { errorCode, z } from "@autokestra/secrets-core/internal";
import { denied, type Failure, malformed, quoteLong } from "./answers.ts";
import type { HttpResponse } from "./exchange.ts";
import { untilAborted, withinLimits } from "./limits.ts";

/** What a login has given. */
export interface LoginToken {
  readonly token: string;
  /** When it ends, in milliseconds since 1970. Default: not known. */
  readonly endsAt?: number | undefined;
}

export interface LoginOptions {
  /** Asks for a token, or reads it. Called again when the last one ends or is refused, so that files are read again. */
  readonly logIn: (limits: CallLimits) => Promise<LoginToken | Failure>;
  /** Whether a token was revoked before its end, where a 403 says that as well as it says that a permission is missing. Default: never */
  readonly hasEnded?: ((token: string, limits: CallLimits) => Promise<boolean>) | undefined;
  /** How long one login may take, in milliseconds. Default: 5000 */
  readonly timeoutMs?: number | undefined;
  /** Default: `Date.now` */
  readonly now?: (() => number) | undefined;
}

export interface Login {
  /**
   * Makes a call with the token, after a login where there is none. Where the call is refused because the token has run out, logs in
   * once more and repeats it.
   */
  use<Answer extends { readonly status: number | string } = HttpResponse>(
    limits: CallLimits,
    call: (token: string) => Promise<Answer | Failure>,
  ): Promise<Answer | Failure>;
  /** The token of now, for giving it back; null where there is none. */
  current(): string | null;
}

/** A refused login is not tried again for so long: a wrong token must not use up a rate limit, nor lock an account. */
const REFUSED_MS = 30_000;
/** A token is replaced when less than this, or a third of its life, is left. */
const RENEW_BEFORE_MS = 60_000;

const LATE = "no login in time";

interface Held extends LoginToken {
  readonly since: number;
}

/** One login for all calls of a provider: at most one at a time. */
export function createLogin({ logIn, hasEnded, timeoutMs = 5000, now = Date.now }: LoginOptions): Login {
  let held: Held | null = null;
  let refused: { readonly failure: Failure; readonly until: number } | null = null;
  let running: Promise<Held | Failure> | null = null;
  /** A new login after a refused call did not help: there is none before this. */
  let nextAttemptAt = 0;

  /** Has a time limit of its own: whoever began it may give up while others still wait. */
  function start(): Promise<Held | Failure> {
    running ??= attempt().finally(() => {
      running = null;
    });
    return running;
  }

  async function attempt(): Promise<Held | Failure> {
    if (refused !== null && now() < refused.until) return refused.failure;
    const answer = await withinLimits<LoginToken>(timeoutMs, undefined, async (limits) => {
      const result = await logIn(limits);
      return "token" in result ? { status: "found", secret: result } : result;
    });
    if (answer.status === "found") {
      refused = null;
      held = { ...answer.secret, since: now() };
      return held;
    }
    // A path of the login that is not there says nothing about a secret.
    const failure = answer.status === "notFound" ? malformed(answer.reason ?? "the login was not found") : answer;
    if (failure.status !== "unavailable") refused = { failure, until: now() + REFUSED_MS };
    return failure;
  }

  async function token(signal: AbortSignal): Promise<Held | Failure> {
    if (held !== null && !isEnding(held, now())) return held;
    const renewed = await untilAborted(start(), signal, LATE);
    // While the last token lasts, a renewal that fails is no reason to fail.
    return "reason" in renewed && held !== null && now() < (held.endsAt ?? Number.POSITIVE_INFINITY) ? held : renewed;
  }

  async function isOver(used: Held, status: HttpResponse["status"] | string, limits: CallLimits): Promise<boolean> {
    if (status !== 403) return status === 401;
    return mayHaveEnded(used, now()) || (await hasEnded?.(used.token, limits)) === true;
  }

  return {
    async use(limits, call) {
      const before = held;
      const first = await token(limits.signal);
      if (!("token" in first)) return first;
      const response = await call(first.token);
      if (first !== before || !(await isOver(first, response.status, limits))) return response;
      if (held === first) {
        if (now() < nextAttemptAt) return response;
        nextAttemptAt = now() + REFUSED_MS;
        held = null;
      }
      const second = held ?? (await untilAborted(start(), limits.signal, LATE));
      if (!("token" in second)) return second;
      return second.token === first.token ? response : await call(second.token);
    },
    current: () => held?.token ?? null,
  };
}

function isEnding({ since, endsAt }: Held, now: number): boolean {
  return endsAt !== undefined && endsAt - now < Math.min(RENEW_BEFORE_MS, (endsAt - since) / 3);
}

/** A token whose end is not known comes from a file or a variable: to read it again costs nothing. */
function mayHaveEnded({ endsAt }: Held, now: number): boolean {
  return endsAt === undefined || now >= endsAt;
}

/** A token that somebody else has made. */
export interface TokenOptions {
  readonly token?: string | undefined;
  /** The name of the environment variable that holds it. */
  readonly tokenEnv?: string | undefined;
  /** The file that holds it; a newline at its end does not count. */
  readonly tokenFile?: string | undefined;
}

/** {@link TokenOptions} as they are configured. */
export const tokenShape: {
  token: z.ZodExactOptional<z.ZodString>;
  tokenEnv: z.ZodExactOptional<z.ZodString>;
  tokenFile: z.ZodExactOptional<z.ZodString>;
} = {
  token: z.string().exactOptional(),
  tokenEnv: z.string().exactOptional(),
  tokenFile: z.string().exactOptional(),
};

/** Reads a token where it is, at the moment; as the `logIn` of {@link createLogin}. */
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

/** A header can hold nothing else; the error of a library would quote it. */
function checkToken(token: string, what: string): LoginToken | SourceFailure {
  return /^[\x21-\x7e]+$/.test(token) ? { token } : denied(`${what} is empty, or holds a space or a line break`);
}
