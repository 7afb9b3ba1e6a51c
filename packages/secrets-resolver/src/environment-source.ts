import { createReadStream } from "node:fs";
import { readText } from "@autokestra/private-files";
import { AutokestraError, type SecretName, type SecretSource, type SourceAnswer } from "@autokestra/secrets-core";
import { errorCode, quoteText } from "@autokestra/secrets-core/internal";

const RESERVED_PREFIXES = [
  "AUTOKESTRA_",
  "WORKFLOW_",
  "VAULT_",
  "BAO_",
  "AWS_",
  "GOOGLE_",
  "AZURE_",
  "OP_",
  "NODE_",
  "npm_",
  "LD_",
  "DYLD_",
];

const MASTER_KEY = "AUTOKESTRA_SECRET_KEY";

const RESERVED_NAMES = new Set("PATH HOME USER LOGNAME SHELL PWD OLDPWD TMPDIR HOSTNAME TERM LANG".split(" "));

/** Tells whether a variable belongs to the system, the engine or a provider, so that a workflow must not read it. */
function isReservedVariable(name: string): boolean {
  return RESERVED_NAMES.has(name) || RESERVED_PREFIXES.some((prefix) => name.startsWith(prefix));
}

/**
 * Creates the source that takes the secret NAME from the environment: from the variable NAME, or from the file whose
 * path is in NAME_FILE. The secret is an apiKey. An empty variable counts as not found, as in GitHub Actions. A binding
 * can name another variable as its `path`.
 *
 * @param env default: `process.env`
 *
 * @example
 * ```ts
 * import { parseSecretName } from "@autokestra/secrets-core";
 * import { createEnvironmentSource } from "@autokestra/secrets-resolver";
 *
 * const source = createEnvironmentSource({ GITHUB_TOKEN: "ghp_example", HOME: "/home/ada" });
 * console.log((await source.lookup(parseSecretName("GITHUB_TOKEN"))).status); // prints found
 * console.log((await source.lookup(parseSecretName("HOME"))).status); // prints notFound
 * ```
 */
export function createEnvironmentSource(env: NodeJS.ProcessEnv = process.env): SecretSource {
  return {
    id: "environment",
    async lookup(name, { binding } = {}) {
      if (binding?.path !== undefined) return boundVariable(env, binding.path);
      if (isReservedVariable(name)) return { status: "notFound", reason: reservedHint(env, name) };
      const value = variable(env, name);
      if (value) return found(value);
      const path = variable(env, `${name}_FILE`);
      if (path) return await fromFile(name, path);
      return { status: "notFound", reason: `The environment has no variable ${name} and no ${name}_FILE.` };
    },
  };
}

/** A bound variable can have any name except that of the master key. */
function boundVariable(env: NodeJS.ProcessEnv, name: string): SourceAnswer {
  const value = name === MASTER_KEY ? undefined : variable(env, name);
  return value ? found(value) : { status: "notFound", reason: `The environment has no variable ${quoteText(name)}.` };
}

/** Returns why a reserved variable is not used. */
function reservedHint(env: NodeJS.ProcessEnv, name: SecretName): string {
  const prefix = RESERVED_PREFIXES.find((start) => name.startsWith(start));
  const why =
    prefix === undefined ? "it belongs to the system" : `names that begin with ${prefix} belong to other programs`;
  const what = variable(env, name) ? `The variable ${name} is set, and is` : `The variable ${name} is`;
  return `${what} never taken as a secret: ${why}.`;
}

/** Reads own properties only, because an environment can be any object. */
function variable(env: NodeJS.ProcessEnv, name: string): string | undefined {
  return Object.hasOwn(env, name) ? env[name] : undefined;
}

async function fromFile(name: SecretName, path: string): Promise<SourceAnswer> {
  try {
    const value = await readText(createReadStream(path), `The file named by ${name}_FILE`);
    return value === "" ? { status: "malformed", reason: `the file named by ${name}_FILE is empty` } : found(value);
  } catch (error) {
    if (error instanceof AutokestraError) return { status: "malformed", reason: error.message };
    const code = errorCode(error) || "unknown error";
    return { status: "unavailable", reason: `the file named by ${name}_FILE cannot be read (${code})` };
  }
}

function found(value: string): SourceAnswer {
  return { status: "found", secret: { type: "apiKey", fields: { value }, expiresAt: null } };
}
