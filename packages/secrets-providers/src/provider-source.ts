import type {
  CallLimits,
  ExternalSecretProvider,
  FoundSecret,
  ProviderAnswer,
  ProviderRequest,
  SecretAnswer,
  SecretBinding,
  SecretSource,
  SourceAnswer,
} from "@autokestra/secrets-core";
import { bulkhead } from "cockatiel";
import { malformed, notFound } from "./answers.ts";
import type { CallReport } from "./http-call.ts";
import { openRunLeases } from "./leases.ts";
import { withinLimits } from "./limits.ts";
import { toSecret, type ValueOptions } from "./value.ts";

/** How a provider is used as a source of secrets. */
export interface ProviderSourceOptions {
  /** The path of names that are not bound, such as `apps/{name}`. Default: none, only bound names are looked up. */
  readonly path?: string | undefined;
  /** `json`: a JSON object becomes the fields of a secret. `text`: a value stays unchanged. Default: `json`. */
  readonly format?: "json" | "text" | undefined;
  /**
   * What to do if the provider is unavailable. `fallback`: ask the next source. `fail`: end the resolution. `stale`:
   * use an earlier value, if there is a `cipher`, else end the resolution. Default: `fallback`.
   */
  readonly onUnavailable?: "fallback" | "fail" | "stale" | undefined;
  /** The maximum age of an earlier value, in seconds. Default: 300. */
  readonly maxStaleSeconds?: number | undefined;
  /** Encrypts the values that are kept for `stale`, in long-lived processes. Default: none are kept. */
  readonly cipher?: TextCipher | undefined;
  /** What to do if the provider denies access. Default: `fail`. */
  readonly onDenied?: "fallback" | "fail" | undefined;
  /** The time limit of one lookup, in seconds. Default: that of the provider, else 5. */
  readonly timeoutSeconds?: number | undefined;
  /** Called after each lookup, for counters. Default: nothing. */
  readonly onCall?: ((call: CallReport) => void) | undefined;
  /** Returns the current time in milliseconds. Default: `Date.now`. */
  readonly now?: (() => number) | undefined;
}

/** Encrypts text with a key that only this process has. */
export interface TextCipher {
  encrypt(text: string): Promise<string>;
  decrypt(text: string): Promise<string>;
}

/** The maximum number of concurrent calls to one provider. */
const MAX_CALLS = 8;
/** How long a secret that was not found is not looked up again, in milliseconds. */
const NOT_FOUND_MS = 10_000;

/**
 * Creates a source that takes secrets from a provider. It keeps a time limit, makes up to 8 calls at once, and looks up
 * several names in one call if the provider can do that. Close the provider at the end.
 *
 * @param provider such as that of `createVaultProvider`
 *
 * @example
 * ```ts
 * import { parseSecretName } from "@autokestra/secrets-core";
 * import { createProviderSource } from "@autokestra/secrets-providers";
 * import { createCommandProvider } from "@autokestra/secrets-providers/command";
 *
 * const provider = createCommandProvider({ command: ["printf", '{"user":"app","password":"%s"}', "{name}"] });
 * const source = createProviderSource(provider, { path: "{name}", timeoutSeconds: 2 });
 * const answer = await source.lookup(parseSecretName("DB"));
 * if (answer.status === "found") console.log(answer.secret.fields); // prints { user: 'app', password: 'DB' }
 * await provider.close();
 * ```
 */
export function createProviderSource(
  provider: ExternalSecretProvider,
  options: ProviderSourceOptions = {},
): SecretSource {
  const {
    path: template,
    format: usual = "json",
    timeoutSeconds = provider.timeoutSeconds ?? 5,
    now = Date.now,
  } = options;
  const { onUnavailable = "fallback", onDenied = "fail", onCall } = options;
  const ms = timeoutSeconds * 1000;
  const { leases } = provider;
  const ask = rememberNotFound(createAsk(provider, ms), now);
  const keep = createStaleValues(options, now);

  return {
    id: provider.id,
    policy: { onUnavailable: onUnavailable === "fallback" ? "fallback" : "fail", onDenied },
    async lookup(name, { binding, signal } = {}) {
      const usualPath = template?.replaceAll("{name}", name);
      const path = binding === undefined ? usualPath : (binding.path ?? usualPath ?? name);
      if (path === undefined) return notFound(`${provider.id} is asked for names that are bound to it alone.`);
      const { version } = binding ?? {};
      if (version !== undefined && !provider.capabilities.versions) {
        return malformed("it has no versions", `Leave out the version of '${name}'.`);
      }
      const value = valueOptions(binding, usual);
      const asked = { at: now(), steadyAt: performance.now() };
      const answer = await ask({ path, version, format: value.format }, signal);
      const found = answer.status === "found" ? toSecret(name, answer.secret, value) : answer;
      const given = await keep(JSON.stringify([path, version, value]), found, asked);
      const isStale = given.status === "found" && given.secret.staleSeconds !== undefined;
      const status = isStale ? "stale" : answer.status;
      onCall?.({ provider: provider.id, call: "lookup", status, milliseconds: performance.now() - asked.steadyAt });
      return given;
    },
    leases: leases && {
      canCreate: async ({ lease = "" }, signal) =>
        await withinLimits(ms, signal, async (limits) => await leases.canCreate(lease, limits)),
      open: (seconds, onEvent) =>
        openRunLeases(leases, {
          source: provider.id,
          seconds,
          onEvent,
          timeoutMs: ms,
          toSecret: (name, binding, secret) => toSecret(name, secret, valueOptions(binding, usual)),
        }),
    },
  };
}

function valueOptions(binding: SecretBinding | undefined, usual: "json" | "text"): ValueOptions {
  const { field, fields, type, format = usual } = binding ?? {};
  return { field, fields, type, format };
}

type Ask = (request: ProviderRequest, signal: AbortSignal | undefined) => Promise<ProviderAnswer>;

/** Requests of the same moment and run, which are sent in one call. */
interface Batch {
  readonly requests: ProviderRequest[];
  readonly answers: Promise<readonly ProviderAnswer[]>;
}

/** Limits concurrent calls to {@link MAX_CALLS}. The time limit of a call counts from its start. */
function createAsk(provider: ExternalSecretProvider, ms: number): Ask {
  const slots = bulkhead(MAX_CALLS, Number.POSITIVE_INFINITY);
  const batches = new Map<AbortSignal | undefined, Batch>();

  async function inSlot<Secret>(
    signal: AbortSignal | undefined,
    run: (limits: CallLimits) => Promise<SecretAnswer<Secret>>,
  ): Promise<SecretAnswer<Secret>> {
    return await slots.execute(async () => await withinLimits(ms, signal, run));
  }

  const askOne: Ask = async (request, signal) =>
    await inSlot(signal, async (limits) => await provider.lookup(request, limits));

  async function askTogether(
    requests: readonly ProviderRequest[],
    signal: AbortSignal | undefined,
  ): Promise<readonly ProviderAnswer[]> {
    // Waits for the other requests of this moment.
    await new Promise((resolve) => setImmediate(resolve));
    batches.delete(signal);
    const [only, ...others] = requests;
    if (only !== undefined && others.length === 0) return [await askOne(only, signal)];
    const answer = await inSlot<readonly ProviderAnswer[]>(signal, async (limits) => {
      const answers = (await provider.lookupMany?.(requests, limits)) ?? [];
      return { status: "found", secret: answers };
    });
    return answer.status === "found" ? answer.secret : requests.map(() => answer);
  }

  return async (request, signal) => {
    if (provider.lookupMany === undefined) return await askOne(request, signal);
    let batch = batches.get(signal);
    if (batch === undefined) {
      const requests: ProviderRequest[] = [];
      batch = { requests, answers: askTogether(requests, signal) };
      batches.set(signal, batch);
    }
    const index = batch.requests.push(request) - 1;
    return (await batch.answers)[index] ?? malformed("it did not answer for every name");
  };
}

function rememberNotFound(ask: Ask, now: () => number): Ask {
  const known = new Map<string, { readonly answer: ProviderAnswer; readonly until: number }>();
  return async (request, signal) => {
    const key = JSON.stringify([request.path, request.version]);
    const before = known.get(key);
    if (before !== undefined && now() < before.until) return before.answer;
    known.delete(key);
    const answer = await ask(request, signal);
    if (answer.status === "notFound") {
      for (const [old, { until }] of known) if (now() >= until) known.delete(old);
      known.set(key, { answer, until: now() + NOT_FOUND_MS });
    }
    return answer;
  };
}

/** A moment, by the clock that people set and by the one that nobody does. */
interface Moment {
  readonly at: number;
  readonly steadyAt: number;
}

/** @param asked when the provider was asked: the answer is at least as new */
type Keep = (key: string, answer: SourceAnswer, asked: Moment) => Promise<SourceAnswer>;

/**
 * Keeps found values, and returns them while the provider is unavailable. An earlier value is not used once it has expired, or is too old
 * by either clock: one can be set back, and the other stands still while the machine sleeps.
 */
function createStaleValues(
  { onUnavailable, maxStaleSeconds = 300, cipher }: ProviderSourceOptions,
  now: () => number,
): Keep {
  if (onUnavailable !== "stale" || cipher === undefined) return async (_key, answer) => await Promise.resolve(answer);
  const kept = new Map<string, Moment & { readonly text: string }>();
  const ageOf = ({ at, steadyAt }: Moment) => Math.max(now() - at, performance.now() - steadyAt);
  return async (key, answer, asked) => {
    for (const [old, value] of kept) if (ageOf(value) > maxStaleSeconds * 1000) kept.delete(old);
    if (answer.status === "found") {
      const text = await cipher.encrypt(JSON.stringify(answer.secret));
      // Somebody who was asked later may have answered before.
      if ((kept.get(key)?.steadyAt ?? 0) <= asked.steadyAt) kept.set(key, { ...asked, text });
      return answer;
    }
    // Any other answer is current, so the earlier value is no longer valid.
    if (answer.status !== "unavailable") kept.delete(key);
    const before = kept.get(key);
    if (before === undefined) return answer;
    const secret: FoundSecret = JSON.parse(await cipher.decrypt(before.text));
    if (secret.expiresAt !== null && Date.parse(secret.expiresAt) <= now()) return answer;
    return { status: "found", secret: { ...secret, staleSeconds: Math.round(ageOf(before) / 1000) } };
  };
}
