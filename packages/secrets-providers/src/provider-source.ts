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

/** How a provider serves as a source of secrets. */
export interface ProviderSourceOptions {
  /** Where a name is looked for that is bound to nothing, such as `apps/{name}`. Default: only bound names are asked there. */
  readonly path?: string | undefined;
  /** Whether a JSON object becomes the fields of a secret. Default: `json` */
  readonly format?: "json" | "text" | undefined;
  /** `stale`: a value of before is used, if `cipher` is given; else it is `fail`. Default: `fallback` */
  readonly onUnavailable?: "fallback" | "fail" | "stale" | undefined;
  /** How old a value may be that is used because there is no newer one. Default: 300 */
  readonly maxStaleSeconds?: number | undefined;
  /** Encrypts the values that are kept for `stale`: for processes that live long. Default: none are kept. */
  readonly cipher?: TextCipher | undefined;
  /** Default: `fail` */
  readonly onDenied?: "fallback" | "fail" | undefined;
  /** How long one name may take. Default: what the provider says, else 5 */
  readonly timeoutSeconds?: number | undefined;
  /** Called for each lookup, and with it for each answer: for counters. Default: nobody counts. */
  readonly onCall?: ((call: CallReport) => void) | undefined;
  /** Default: `Date.now` */
  readonly now?: (() => number) | undefined;
}

/** Text that nobody can read who does not have the key of this process. */
export interface TextCipher {
  encrypt(text: string): Promise<string>;
  decrypt(text: string): Promise<string>;
}

/** So many calls at once to one provider. */
const MAX_CALLS = 8;
/** What a provider does not have is not asked for again for so long. */
const NOT_FOUND_MS = 10_000;

/** Asks a provider for secrets: with a time limit, at most 8 calls at once, several names in one call where it can do that. */
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
      const start = performance.now();
      const answer = await ask({ path, version, format: value.format }, signal);
      onCall?.({
        provider: provider.id,
        call: "lookup",
        status: answer.status,
        milliseconds: performance.now() - start,
      });
      const found = answer.status === "found" ? toSecret(name, answer.secret, value) : answer;
      return await keep(JSON.stringify([path, version, value]), found);
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

/** The calls of one moment, for the same run. */
interface Batch {
  readonly requests: ProviderRequest[];
  readonly answers: Promise<readonly ProviderAnswer[]>;
}

/** At most {@link MAX_CALLS} at once, each with its own time from the moment it begins. */
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
    // Whoever asks in the same moment comes along.
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

/** Keeps what was found, and gives it where nothing can be found for now. */
function createStaleValues(
  { onUnavailable, maxStaleSeconds = 300, cipher }: ProviderSourceOptions,
  now: () => number,
): (key: string, answer: SourceAnswer) => Promise<SourceAnswer> {
  const kept = new Map<string, { readonly at: number; readonly text: string }>();
  if (onUnavailable !== "stale" || cipher === undefined) return async (_key, answer) => await Promise.resolve(answer);
  return async (key, answer) => {
    for (const [old, { at }] of kept) if (now() - at > maxStaleSeconds * 1000) kept.delete(old);
    const before = kept.get(key);
    if (answer.status === "found")
      kept.set(key, { at: now(), text: await cipher.encrypt(JSON.stringify(answer.secret)) });
    // Whatever else it says is the truth of now.
    else if (answer.status !== "unavailable") kept.delete(key);
    if (answer.status !== "unavailable" || before === undefined) return answer;
    const secret: FoundSecret = JSON.parse(await cipher.decrypt(before.text));
    return { status: "found", secret: { ...secret, staleSeconds: Math.round((now() - before.at) / 1000) } };
  };
}
