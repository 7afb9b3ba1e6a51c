import type {
  CallLimits,
  ExternalSecretProvider,
  ProviderAnswer,
  ProviderRequest,
  SecretAnswer,
  SecretBinding,
  SecretSource,
} from "@autokestra/secrets-core";
import { bulkhead, isTaskCancelledError } from "cockatiel";
import { malformed, notFound, timedOut } from "./answers.ts";
import { openRunLeases } from "./leases.ts";
import { withinLimits } from "./limits.ts";
import { toSecret, type ValueOptions } from "./value.ts";

/** How a provider serves as a source of secrets. */
export interface ProviderSourceOptions {
  /** Where a name is looked for that is bound to nothing, such as `apps/{name}`. Default: only bound names are asked there. */
  readonly path?: string | undefined;
  /** Whether a JSON object becomes the fields of a secret. Default: `json` */
  readonly format?: "json" | "text" | undefined;
  /** Default: `fallback` */
  readonly onUnavailable?: "fallback" | "fail" | undefined;
  /** Default: `fail` */
  readonly onDenied?: "fallback" | "fail" | undefined;
  /** How long one name may take. Default: what the provider says, else 5 */
  readonly timeoutSeconds?: number | undefined;
  /** Default: `Date.now` */
  readonly now?: (() => number) | undefined;
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
  const { onUnavailable = "fallback", onDenied = "fail" } = options;
  const ms = timeoutSeconds * 1000;
  const { leases } = provider;
  const ask = rememberNotFound(createAsk(provider, ms), now);

  return {
    id: provider.id,
    policy: { onUnavailable, onDenied },
    async lookup(name, { binding, signal } = {}) {
      const usualPath = template?.replaceAll("{name}", name);
      const path = binding === undefined ? usualPath : (binding.path ?? usualPath ?? name);
      if (path === undefined) return notFound(`${provider.id} is asked for names that are bound to it alone.`);
      const { version } = binding ?? {};
      if (version !== undefined && !provider.capabilities.versions) {
        return malformed("it has no versions", `Leave out the version of '${name}'.`);
      }
      const value = valueOptions(binding, usual);
      const answer = await ask({ path, version, format: value.format }, signal);
      return answer.status === "found" ? toSecret(name, answer.secret, value) : answer;
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
    try {
      return await slots.execute(async () => await withinLimits(ms, signal, run), signal);
    } catch (error) {
      if (isTaskCancelledError(error)) return timedOut("its turn did not come in time");
      throw error;
    }
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
