import {
  AutokestraError,
  fieldNotFound,
  parseSecretName,
  primaryField,
  type ResolvedSecret,
  type SecretName,
  type SecretResolver,
  type SecretScope,
  type SecretSource,
  secretNotDeclared,
  secretsMissing,
} from "@autokestra/secrets-core";

/**
 * Resolves secrets within a declared scope. Each name is looked up once per scope, in the order of the sources; the first that
 * has it wins.
 */
export function createSecretResolver(sources: readonly SecretSource[]): SecretResolver {
  return {
    async openScope(declared) {
      const names = [...new Set(declared.map(parseSecretName))];
      const results = await Promise.all(names.map(async (name) => await find(sources, name)));
      const missing = names.filter((_, index) => results[index]?.found === null);
      if (missing.length > 0)
        throw secretsMissing(
          missing,
          results.flatMap(({ hints }) => hints),
        );
      return createScope(results.flatMap(({ found }) => found ?? []));
    },
  };
}

interface Lookup {
  readonly found: ResolvedSecret | null;
  /** What sources that do not have it know of it. */
  readonly hints: readonly string[];
}

async function find(sources: readonly SecretSource[], name: SecretName): Promise<Lookup> {
  const hints: string[] = [];
  for (const source of sources) {
    const answer = await source.lookup(name);
    if (answer.status === "found") return { found: { ...answer.secret, name, source: source.id }, hints: [] };
    if (answer.status !== "absent") {
      throw new AutokestraError(
        "SOURCE_FAILED",
        `Secret '${name}' could not be read from ${source.id}: ${answer.reason}`,
        {
          hint: "No other source is asked: it could hold another value.",
        },
      );
    }
    if (answer.hint !== undefined) hints.push(answer.hint);
  }
  return { found: null, hints };
}

function createScope(resolved: readonly ResolvedSecret[]): SecretScope {
  const secrets = new Map(resolved.map((secret) => [secret.name, secret]));
  return {
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

    close() {
      secrets.clear();
    },
  };
}
