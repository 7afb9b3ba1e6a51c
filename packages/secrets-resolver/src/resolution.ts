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

/** The sources, and the names that are bound to one of them. */
export interface Sources {
  /** The sources that are asked in this order for names that are not bound. */
  readonly ordered: readonly SecretSource[];
  /** The sources that are asked only for names that are bound to them. */
  readonly others: readonly SecretSource[];
  readonly bindings: ReadonlyMap<string, SecretBinding>;
}

/** The lookup of some names with one time limit. A source that has timed out once is not waited for again. */
export interface Resolution {
  readonly sources: Sources;
  /** A controller for each source, which is aborted when its time has passed. */
  readonly signals: ReadonlyMap<SecretSource, AbortController>;
  /** The sources that failed and were replaced by others. */
  readonly fallbacks: Map<SecretSource, SourceFallback>;
  readonly leaseOptions: ScopeOptions["leases"];
  /** The credentials that were created. */
  readonly leases: Map<SecretSource, RunLeases>;
  /** Aborts all pending lookups. */
  end(): void;
}

/** @param timeoutMs the time limit of external sources for all names together, in milliseconds */
export function beginResolution(sources: Sources, { signal, leases }: ScopeOptions, timeoutMs: number): Resolution {
  const signals = new Map(everySource(sources).map((source) => [source, new AbortController()]));
  // Each name adds a listener, and Node warns from 11 on.
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

/** The result of looking up one name. */
export interface NameLookup {
  readonly name: SecretName;
  /** Null if no source has it. The secret is null for credentials that a run would create. */
  readonly found: {
    readonly source: string;
    readonly binding: SecretBinding | undefined;
    readonly secret: FoundSecret | null;
  } | null;
  readonly asked: readonly AskedSource[];
  /** Why the search stopped before all sources were asked; null if it did not. */
  readonly failure: AutokestraError | null;
}

/** Asks the sources one after the other. @throws AutokestraError `OPTION_INVALID`, and what a source throws */
export async function lookUpName(name: SecretName, resolution: Resolution): Promise<NameLookup> {
  const { ordered, bindings } = resolution.sources;
  const binding = bindings.get(name);
  const bound = binding && sourceOf(binding.source, name, resolution.sources);
  const asked: AskedSource[] = [];
  const queue = bound === undefined ? [...ordered] : [bound];
  for (let source = queue.shift(); source !== undefined; source = queue.shift()) {
    const start = performance.now();
    const used = source === bound ? binding : undefined;
    const answer = await ask(source, name, used, resolution);
    const entry = { source: source.id, status: answer.status, milliseconds: performance.now() - start };
    if (answer.status === "found") {
      const found = { source: source.id, binding: used, secret: answer.secret };
      return { name, found, asked: [...asked, entry], failure: null };
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
      // No other provider has a secret that is bound to this one.
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
  // The other names have waited for this source as long, and later ones must not wait at all.
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
  if (source.leases === undefined) return { status: "malformed", reason: "it cannot create credentials" };
  if (leaseOptions === undefined) return await source.leases.canCreate(binding, signal);
  const opened = leases.get(source) ?? source.leases.open(leaseOptions.seconds, leaseOptions.onEvent);
  leases.set(source, opened);
  return await opened.create(name, binding, signal);
}

function everySource({ ordered, others }: Sources): SecretSource[] {
  return [...ordered, ...others];
}

/** Returns the local sources. */
function localOf({ ordered }: Sources): SecretSource[] {
  return ordered.filter(({ policy }) => policy === undefined);
}

function sourceOf(id: string, name: SecretName, sources: Sources): SecretSource {
  const all = everySource(sources);
  const source = all.find((candidate) => candidate.id === id);
  if (source !== undefined) return source;
  throw new AutokestraError(
    "OPTION_INVALID",
    `Secret '${name}' is bound to '${quoteText(id)}', which is not a source`,
    {
      hint: `Sources: ${all.map((each) => quoteText(each.id)).join(", ")}.`,
    },
  );
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
