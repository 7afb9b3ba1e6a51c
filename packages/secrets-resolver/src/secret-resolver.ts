import {
  type AskedSource,
  parseSecretName,
  type ResolvedSecret,
  type RunLeases,
  type SecretBinding,
  type SecretResolver,
  type SecretScope,
  type SecretSource,
  type SourceFallback,
} from "@autokestra/secrets-core";
import { fieldNotFound, primaryField, secretNotDeclared, secretsMissing } from "@autokestra/secrets-core/internal";
import { beginResolution, lookUpName, type NameLookup, type Resolution } from "./resolution.ts";

export interface ResolverOptions {
  /** The names that are bound to one source. Default: none. */
  readonly bindings?: Readonly<Record<string, SecretBinding>> | undefined;
  /** More sources, which are asked only for names that are bound to them. Default: none. */
  readonly boundOnly?: readonly SecretSource[] | undefined;
  /** The time limit of external sources for all names together, in seconds. Default: 10. */
  readonly timeoutSeconds?: number | undefined;
}

/**
 * Creates the resolver of the secrets that a workflow declares. It looks up each name once for each run, in the order
 * of the sources, and uses the first source that has it. A bound name is looked up only in its source.
 *
 * If a source fails, the run does not start, because the next source could have another value. Only an external source
 * whose policy allows it is replaced by the next one, and the scope lists that in `fallbacks`.
 *
 * @param sources the sources in their order, such as those of {@link createStoreSource} and {@link
 * createEnvironmentSource}
 *
 * @example
 * ```ts
 * import { hasCode } from "@autokestra/secrets-core";
 * import { createEnvironmentSource, createSecretResolver } from "@autokestra/secrets-resolver";
 *
 * const resolver = createSecretResolver([createEnvironmentSource({ API_KEY: "k-123" })]);
 * const scope = await resolver.openScope(["API_KEY"]);
 * console.log(scope.secrets.map(({ name, source }) => `${name} from ${source}`)); // prints [ 'API_KEY from environment' ]
 * await scope.close();
 *
 * try {
 *   await resolver.openScope(["API_KEY", "DB"]);
 * } catch (error) {
 *   if (!hasCode(error, "SECRETS_MISSING")) throw error;
 *   console.log(error.details.names); // prints [ 'DB' ]
 * }
 * ```
 */
export function createSecretResolver(
  sources: readonly SecretSource[],
  { bindings = {}, boundOnly = [], timeoutSeconds = 10 }: ResolverOptions = {},
): SecretResolver {
  const all = { ordered: sources, others: boundOnly, bindings: new Map(Object.entries(bindings)) };
  return {
    async openScope(declared, options = {}) {
      const names = [...new Set(declared.map(parseSecretName))];
      const resolution = beginResolution(all, options, timeoutSeconds * 1000);
      try {
        const lookups = await findAll(
          names.map(async (name) => await lookUpName(name, resolution)),
          resolution,
        );
        options.signal?.throwIfAborted();
        return createScope(lookups, resolution);
      } catch (error) {
        await closeAll([...resolution.leases.values()]);
        options.signal?.throwIfAborted();
        throw error;
      } finally {
        resolution.end();
      }
    },

    async explain(text, { signal } = {}) {
      const name = parseSecretName(text);
      const resolution = beginResolution(all, { signal }, timeoutSeconds * 1000);
      try {
        const { found, asked } = await lookUpName(name, resolution);
        return { name, binding: all.bindings.get(name), asked, source: found?.source ?? null };
      } finally {
        resolution.end();
      }
    },
  };
}

/**
 * Waits for all lookups even if one has failed, because another one may still create credentials.
 *
 * @throws the first failure; AutokestraError `SECRETS_MISSING`
 */
async function findAll(
  lookups: readonly Promise<NameLookup>[],
  resolution: Resolution,
): Promise<readonly NameLookup[]> {
  const failures: unknown[] = [];
  const fail = (error: unknown) => {
    failures.push(error);
    resolution.end();
  };
  const results: NameLookup[] = [];
  await Promise.all(
    lookups.map(async (promise, index) => {
      try {
        const result = await promise;
        results[index] = result;
        if (result.failure !== null) fail(result.failure);
      } catch (error) {
        fail(error);
      }
    }),
  );
  if (failures.length > 0) throw failures[0];
  const missing = results.filter(({ found }) => found === null);
  if (missing.length > 0) {
    const known = missing.flatMap(({ asked }) =>
      asked.flatMap(({ source, status, reason }) => {
        if (reason === undefined) return [];
        return status === "notFound" ? [reason] : [`${source} could not be asked: ${reason}.`];
      }),
    );
    throw secretsMissing(
      missing.map(({ name }) => name),
      known,
      missing.flatMap(({ name, asked }) => (asked.some(isRetained) ? [name] : [])),
    );
  }
  return results;
}

function isRetained({ retainedUntil }: AskedSource): boolean {
  return retainedUntil !== undefined;
}

function createScope(lookups: readonly NameLookup[], resolution: Resolution): SecretScope {
  const resolved = lookups.flatMap(({ name, found }): ResolvedSecret[] =>
    found === null || found.secret === null
      ? []
      : [{ ...found.secret, name, source: found.source, binding: found.binding }],
  );
  const secrets = new Map(resolved.map((secret) => [secret.name, secret]));
  const leases = [...resolution.leases.values()];
  const fallbacks: readonly SourceFallback[] = [...resolution.fallbacks.values()];
  let closing: Promise<void> | null = null;
  return {
    fallbacks,
    get secrets() {
      return [...secrets.values()];
    },

    async lookup({ name, field }) {
      const secret = secrets.get(name);
      if (secret === undefined) throw secretNotDeclared(name);
      const fields = Object.keys(secret.fields);
      const wanted = field ?? primaryField(secret.type, fields);
      if (wanted === null) return { ...secret.fields };
      if (!Object.hasOwn(secret.fields, wanted)) throw fieldNotFound(wanted, name, fields);
      return secret.fields[wanted];
    },

    async close(signal) {
      secrets.clear();
      closing ??= closeAll(leases, signal);
      await closing;
    },
  };
}

async function closeAll(leases: readonly RunLeases[], signal?: AbortSignal): Promise<void> {
  await Promise.all(leases.map(async (each) => await each.close(signal)));
}
