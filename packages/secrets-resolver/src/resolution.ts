import { setMaxListeners } from "node:events";
import {
  type AskedSource,
  AutokestraError,
  type ErrorDetails,
  type FoundSecret,
  type RunLeases,
  type ScopeOptions,
  type SecretAnswer,
  type SecretBinding,
  type SecretName,
  type SecretSource,
  type SourceFailure,
  type SourceFallback,
} from "@autokestra/secrets-core";
import { quoteText } from "@autokestra/secrets-core/internal";

/** The sources, and which names are bound to one of them. */
export interface Sources {
  /** Asked in this order for names that are bound to nothing. */
  readonly ordered: readonly SecretSource[];
  /** Those that are asked for nothing but what is bound to them. */
  readonly others: readonly SecretSource[];
  readonly bindings: ReadonlyMap<string, SecretBinding>;
}

/** One pass over some names: within one time, and without a source whose time was used up once. */
export interface Resolution {
  readonly sources: Sources;
  /** One for each source: aborted when its time is over. */
  readonly signals: ReadonlyMap<SecretSource, AbortController>;
  /** Sources that were replaced by others. */
  readonly fallbacks: Map<SecretSource, SourceFallback>;
  readonly leaseOptions: ScopeOptions["leases"];
  /** The credentials that were made. */
  readonly leases: Map<SecretSource, RunLeases>;
  /** Ends what still goes on. */
  end(): void;
}

/** @param timeoutMs the time of outside sources, all names together */
export function beginResolution(sources: Sources, { signal, leases }: ScopeOptions, timeoutMs: number): Resolution {
  const signals = new Map(everySource(sources).map((source) => [source, new AbortController()]));
  // Every name may listen.
  for (const controller of signals.values()) setMaxListeners(0, controller.signal);
  const abort = () => {
    for (const controller of signals.values()) controller.abort();
  };
  const timer = setTimeout(abort, timeoutMs);
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted === true) abort();
  return {
    sources,
    signals,
    fallbacks: new Map(),
    leaseOptions: leases,
    leases: new Map(),
    end() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      abort();
    },
  };
}

/** What was found of one name, and how. */
export interface Search {
  readonly name: SecretName;
  /** Null where no source has it. The secret is null where it would be made for a run. */
  readonly found: { readonly source: string; readonly secret: FoundSecret | null } | null;
  readonly asked: readonly AskedSource[];
  /** Why the search ended before all were asked. */
  readonly failure: AutokestraError | null;
}

/** Asks one source after the other. @throws AutokestraError `OPTION_INVALID`, and what a source throws */
export async function search(name: SecretName, resolution: Resolution): Promise<Search> {
  const { ordered, bindings } = resolution.sources;
  const binding = bindings.get(name);
  const bound = binding && sourceOf(binding.source, name, resolution.sources);
  const asked: AskedSource[] = [];
  const queue = bound === undefined ? [...ordered] : [bound];
  for (let source = queue.shift(); source !== undefined; source = queue.shift()) {
    const start = performance.now();
    const answer = await ask(source, name, source === bound ? binding : undefined, resolution);
    const entry = { source: source.id, status: answer.status, milliseconds: performance.now() - start };
    if (answer.status === "found") {
      return { name, found: { source: source.id, secret: answer.secret }, asked: [...asked, entry], failure: null };
    }
    asked.push({
      ...entry,
      reason: answer.reason,
      ...("retainedUntil" in answer && { retainedUntil: answer.retainedUntil }),
    });
    if (answer.status === "notFound") {
      if (source === bound && binding?.fallback !== undefined) {
        queue.push(sourceOf(binding.fallback, name, resolution.sources));
      }
    } else if (mayBeReplaced(source, answer)) {
      // What is bound to a provider is in no other one.
      if (source === bound) queue.push(...localOf(resolution.sources));
      addFallback(source, answer, name, resolution);
    } else {
      return { name, found: null, asked, failure: await sourceFailed(source, name, answer, resolution.sources) };
    }
  }
  return { name, found: null, asked, failure: null };
}

async function ask(
  source: SecretSource,
  name: SecretName,
  binding: SecretBinding | undefined,
  resolution: Resolution,
): Promise<SecretAnswer<FoundSecret | null>> {
  const answer = await lookUp(source, name, binding, resolution);
  // Whoever else waits for this source has waited as long; who comes later is told at once.
  if ("timedOut" in answer && answer.timedOut === true) resolution.signals.get(source)?.abort();
  return answer;
}

async function lookUp(
  source: SecretSource,
  name: SecretName,
  binding: SecretBinding | undefined,
  { signals, leases, leaseOptions }: Resolution,
): Promise<SecretAnswer<FoundSecret | null>> {
  const signal = signals.get(source)?.signal;
  if (binding?.lease === undefined) return await source.lookup(name, { binding, signal });
  if (source.leases === undefined) return { status: "malformed", reason: "it makes no credentials" };
  if (leaseOptions === undefined) return await source.leases.canCreate(binding, signal);
  const opened = leases.get(source) ?? source.leases.open(leaseOptions.seconds, leaseOptions.onEvent);
  leases.set(source, opened);
  return await opened.create(name, binding, signal);
}

function everySource({ ordered, others }: Sources): SecretSource[] {
  return [...ordered, ...others];
}

/** The sources of this machine. */
function localOf({ ordered }: Sources): SecretSource[] {
  return ordered.filter(({ policy }) => policy === undefined);
}

function sourceOf(id: string, name: SecretName, sources: Sources): SecretSource {
  const all = everySource(sources);
  const source = all.find((candidate) => candidate.id === id);
  if (source !== undefined) return source;
  throw new AutokestraError("OPTION_INVALID", `Secret '${name}' is bound to '${quoteText(id)}', which is no source`, {
    hint: `Sources: ${all.map((each) => quoteText(each.id)).join(", ")}.`,
  });
}

function mayBeReplaced({ policy }: SecretSource, { status }: SourceFailure): boolean {
  if (status === "malformed") return false;
  return (status === "denied" ? policy?.onDenied : policy?.onUnavailable) === "fallback";
}

function addFallback(
  source: SecretSource,
  { status, reason }: SourceFailure,
  name: SecretName,
  { fallbacks }: Resolution,
): void {
  const { names = [], ...first } = fallbacks.get(source) ?? { source: source.id, status, reason };
  fallbacks.set(source, { ...first, names: [...names, name] });
}

async function sourceFailed(
  source: SecretSource,
  name: SecretName,
  { status, reason, hint }: SourceFailure,
  sources: Sources,
): Promise<AutokestraError> {
  const mayHide = status === "denied" && source.policy !== undefined;
  const holder = mayHide ? await findHolder(name, localOf(sources)) : null;
  const unused = holder === null ? undefined : `There is a value of that name in ${holder}, which was not used.`;
  const sentences = [hint, unused, "No other source is asked: it could hold another value."];
  return new AutokestraError("SOURCE_FAILED", `Secret '${name}' could not be read from ${source.id}: ${reason}`, {
    hint: sentences.filter((sentence) => sentence !== undefined).join(" "),
    details: { names: [name], source: source.id, status } satisfies ErrorDetails["SOURCE_FAILED"],
  });
}

async function findHolder(name: SecretName, sources: readonly SecretSource[]): Promise<string | null> {
  for (const source of sources) if ((await source.lookup(name)).status === "found") return source.id;
  return null;
}
