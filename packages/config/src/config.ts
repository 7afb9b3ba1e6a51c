import { dirname, resolve } from "node:path";
import { SECRET_TYPES, type SecretBinding } from "@autokestra/secrets-core";
import { quoteText } from "@autokestra/secrets-core/internal";
import { z } from "zod";
import { AUDIT_KEYS, type AuditConfig, auditSchema, toAuditConfig } from "./audit-config.ts";
import { nameSchema, pathSchema } from "./common-schemas.ts";
import { HTTP_KEYS, type HttpConfig, httpSchema } from "./http-config.ts";
import { didYouMean } from "./nearest-name.ts";
import { type FatalProblem, FileError, type Position } from "./problem.ts";
import { type ServerConfig, serverKeys, serverSchema, toServerConfig } from "./server-config.ts";
import { type FileShape, shapeProblems } from "./shape-problems.ts";
import { parseYaml, QUOTES, type YamlDocument, type YamlPath } from "./yaml-document.ts";

declare module "@autokestra/secrets-core" {
  interface ErrorDetails {
    CONFIG_NOT_FOUND: object;
    CONFIG_INVALID: object;
  }
}

export { MAX_BYTES } from "./yaml-document.ts";

const storageSchema = z.strictObject({
  path: pathSchema.describe("Folder of the secrets, relative to the folder of this file").exactOptional(),
  backend: z.enum(["auto", "sqlite", "file"]).describe("Driver of the store. Default: auto").exactOptional(),
});

const runsSchema = z.strictObject({
  path: pathSchema.describe("File of the run history, relative to the folder of this file").exactOptional(),
  keepRuns: z.int().min(1).max(1_000_000).describe("How many runs are kept. Default: 1000").exactOptional(),
  keepDays: z
    .int()
    .min(1)
    .max(36_500)
    .describe("How many days runs are kept. Default: without a limit")
    .exactOptional(),
  keepOutputs: z
    .number()
    .min(0)
    .max(8760)
    .describe("How many hours a run that has not succeeded can be resumed; 0: not at all. Default: 24")
    .exactOptional(),
  keepLog: z
    .int()
    .min(1)
    .max(10_240)
    .describe("How many MiB of the log lines of one run are recorded. Default: 64")
    .exactOptional(),
});

const maskingSchema = z.strictObject({
  placeholder: z
    .string()
    .min(1)
    .max(100)
    .describe("Text that is shown instead of a secret. Default: ***SECRET***")
    .exactOptional(),
});

/** The type of the provider checks the other options. */
const providerSchema = z.looseObject({
  type: z.string().min(1).describe("Type of the provider: vault, aws-secrets-manager, http, …"),
});

function providersOf<Schema extends z.ZodType>(schema: Schema): z.ZodRecord<typeof nameSchema, Schema> {
  return z.record(nameSchema, schema).describe("Providers of secrets besides the store, by name");
}

const bindingSchema = z.strictObject({
  provider: nameSchema.describe("Name of the provider that has the secret, or `environment`"),
  path: pathSchema.describe("Path of the secret in the provider. Default: its name").exactOptional(),
  id: pathSchema.describe("The same as `path`, for providers that use ids").exactOptional(),
  variable: pathSchema.describe("The environment variable, with the provider `environment`").exactOptional(),
  lease: pathSchema.describe("Path of credentials that are created for each run").exactOptional(),
  version: z
    .union([pathSchema, z.int().nonnegative()])
    .transform(String)
    .describe("Version of the value. Default: the newest one")
    .exactOptional(),
  type: z
    .enum(SECRET_TYPES)
    .describe("Type of the secret. Default: custom for an object, apiKey for a text")
    .exactOptional(),
  format: z.enum(["json", "text"]).describe("text: use the value unchanged, byte for byte").exactOptional(),
  field: pathSchema.describe("The only field of the value to use").exactOptional(),
  fields: z
    .record(z.string(), pathSchema)
    .describe("The field of the value for each field of the type")
    .exactOptional(),
  fallback: z.literal("store").describe("Take it from the store if the provider does not have it").exactOptional(),
});

const pluginObjectSchema = z.strictObject({
  module: pathSchema.describe("Path of the plugin, relative to the folder of this file, or the name of its package"),
  network: z
    .boolean()
    .describe("Whether it may use the network. false needs Node.js 25 or later. Default: true")
    .exactOptional(),
});

const pluginSchema = z.union([pathSchema, pluginObjectSchema], {
  error: "must be a path, the name of a package, or a map with 'module' and 'network'",
});

const fileSchema = z.strictObject({
  storage: storageSchema.exactOptional(),
  keyFile: pathSchema.describe("Key file, relative to the folder of this file").exactOptional(),
  maxVersions: z.int().min(1).describe("Maximum number of versions of a secret. Default: 10").exactOptional(),
  runs: runsSchema.exactOptional(),
  masking: maskingSchema.exactOptional(),
  audit: auditSchema.exactOptional(),
  env: z
    .boolean()
    .describe("Take secrets from the environment if no other source has them. Default: true")
    .exactOptional(),
  providers: providersOf(providerSchema).exactOptional(),
  providerPackages: z
    .array(pathSchema)
    .describe("Packages that define types of providers. Their code runs in this process and sees secrets")
    .exactOptional(),
  sources: z
    .array(nameSchema)
    .describe("Order in which sources are asked for a name. Default: providers with a `path`, store, environment")
    .exactOptional(),
  resolveTimeoutSeconds: z
    .number()
    .positive()
    .max(600)
    .describe("Time limit to find all secrets of a run. Default: 10")
    .exactOptional(),
  secrets: z.record(nameSchema, bindingSchema).describe("Secrets that are bound to one source").exactOptional(),
  plugins: z
    .array(pluginSchema)
    .describe("Plugins that run in processes of their own: a path relative to the folder of this file, or a package")
    .exactOptional(),
  http: httpSchema.describe("The requests of core/http").exactOptional(),
  server: serverSchema.describe("The HTTP API").exactOptional(),
});

type ConfigFile = z.output<typeof fileSchema>;

/** The sources that need no configuration. */
const OWN_SOURCES = ["store", "environment"];

/** The configuration of one provider, as it is written. Its `type` decides the other options. */
export interface ProviderConfig {
  readonly type: string;
  readonly [option: string]: unknown;
}

/** A plugin of a configuration. */
export interface PluginConfig {
  /** Its path, relative to the folder of the configuration and beginning with a dot or a slash, or the name of its package. */
  readonly module: string;
  readonly network: boolean;
}

/** A configuration. Paths are absolute. A key that is not set is undefined, if it has no default here. */
export interface Config {
  /** The path of the file. */
  readonly path: string;
  readonly storagePath: string | undefined;
  readonly backend: "auto" | "sqlite" | "file" | undefined;
  readonly keyFile: string | undefined;
  readonly maxVersions: number | undefined;
  readonly runsPath: string | undefined;
  readonly runsKept: {
    readonly keepRuns: number | undefined;
    readonly keepDays: number | undefined;
    readonly keepOutputsHours: number | undefined;
    readonly keepLogMiB: number | undefined;
  };
  readonly placeholder: string | undefined;
  readonly environment: boolean | undefined;
  /** The settings of the audit log. Undefined if the file does not mention it. */
  readonly audit: AuditConfig | undefined;
  /** The providers by name. Default: none. */
  readonly providers: Readonly<Record<string, ProviderConfig>>;
  /** Default: none. */
  readonly providerPackages: readonly string[];
  readonly sources: readonly string[] | undefined;
  readonly resolveTimeoutSeconds: number | undefined;
  /** The bindings by name of the secret. Default: none. */
  readonly bindings: Readonly<Record<string, SecretBinding>>;
  /** The plugins that run in processes of their own. Default: none. */
  readonly plugins: readonly PluginConfig[];
  readonly http: HttpConfig;
  readonly server: ServerConfig;
  /**
   * Checks the options of a provider against the schema of its type. Problems have their places in the file.
   *
   * @param options the schema of all options of the type
   * @throws FileError `CONFIG_INVALID`
   */
  checkProvider(name: string, options: z.ZodObject): void;
  /** Returns the error that a plugin cannot be used, with its place in the file. */
  refusePlugin(index: number, why: string, hint?: string): FileError;
}

/**
 * Parses the text of a configuration. Use {@link loadConfig} to read a file.
 *
 * @param path the absolute path of the file, for messages and for relative paths in it
 * @throws FileError `CONFIG_INVALID` with all problems
 *
 * @example
 * ```ts
 * import { parseConfig } from "@autokestra/config";
 *
 * const config = parseConfig("storage: { path: secrets }\nmaxVersions: 3\n", "/srv/app/autokestra.config.yaml");
 * console.log(config.storagePath, config.maxVersions); // prints /srv/app/secrets 3
 * ```
 */
export function parseConfig(source: string, path: string): Config {
  const document = parseYaml(source, invalid);
  const fail = ([first, ...others]: readonly FatalProblem[], shown: string | null = source) => {
    if (first !== undefined) throw new FileError(path, shown, [first, ...others]);
  };
  fail(document.problems);
  fail(document.respelled.map(({ position }) => invalid("This would read differently as text", position, QUOTES)));
  const data = document.data ?? {};
  // Without the source: no line of a file that contains a secret is shown.
  fail(literalSecrets(data, document), null);
  const result = fileSchema.safeParse(data, { reportInput: true });
  fail(shapeProblems(result.error?.issues ?? [], document, SHAPE));
  const config: ConfigFile = result.data ?? {};
  fail(checkNames(config, document));
  return {
    ...toConfig(config, path),
    checkProvider(name, options) {
      const issues = options.safeParse(config.providers?.[name], { reportInput: true }).error?.issues ?? [];
      const inFile = issues.map((issue) => ({ ...issue, path: ["providers", name, ...issue.path] }));
      fail(shapeProblems(inFile, document, { ...SHAPE, knownKeys: () => Object.keys(options.shape) }));
    },
    refusePlugin(index, why, hint) {
      const message = `The plugin '${quoteText(moduleOf(config.plugins?.[index]))}' cannot be used: ${why}`;
      return new FileError(path, source, [invalid(message, document.locate(["plugins", index]), hint)]);
    },
  };
}

function toConfig(config: ConfigFile, path: string): Omit<Config, "checkProvider" | "refusePlugin"> {
  const {
    storage,
    runs,
    masking,
    providers = {},
    providerPackages = [],
    secrets = {},
    plugins = [],
    http = {},
    server = {},
  } = config;
  const absolute = (relative: string | undefined) =>
    relative === undefined ? undefined : resolve(dirname(path), relative);
  return {
    path,
    storagePath: absolute(storage?.path),
    backend: storage?.backend,
    keyFile: absolute(config.keyFile),
    maxVersions: config.maxVersions,
    runsPath: absolute(runs?.path),
    runsKept: {
      keepRuns: runs?.keepRuns,
      keepDays: runs?.keepDays,
      keepOutputsHours: runs?.keepOutputs,
      keepLogMiB: runs?.keepLog,
    },
    placeholder: masking?.placeholder,
    environment: config.env,
    audit: toAuditConfig(config.audit, absolute),
    providers,
    providerPackages,
    sources: config.sources,
    resolveTimeoutSeconds: config.resolveTimeoutSeconds,
    bindings: Object.fromEntries(
      Object.entries(secrets).map(([name, { provider, path: place, id, variable, ...rest }]) => [
        name,
        { ...rest, source: provider, path: place ?? id ?? variable },
      ]),
    ),
    plugins: plugins.map((plugin) => ({
      network: true,
      ...(typeof plugin === "string" ? { module: plugin } : plugin),
    })),
    http,
    server: toServerConfig(server, absolute),
  };
}

function moduleOf(plugin: z.output<typeof pluginSchema> | undefined): string {
  return typeof plugin === "object" ? plugin.module : (plugin ?? "");
}

const SHAPE: FileShape = { subject: "The configuration", invalid, knownKeys };

function invalid(message: string, position?: Position, hint?: string): FatalProblem {
  return { code: "CONFIG_INVALID", message, position, hint };
}

function knownKeys([first, second, third]: YamlPath): readonly string[] {
  if (first === undefined) return Object.keys(fileSchema.shape);
  if (first === "storage") return Object.keys(storageSchema.shape);
  if (first === "runs") return Object.keys(runsSchema.shape);
  if (first === "audit") return AUDIT_KEYS;
  if (first === "http") return HTTP_KEYS;
  if (first === "masking") return Object.keys(maskingSchema.shape);
  if (first === "server") return serverKeys(second);
  if (first === "plugins") return Object.keys(pluginObjectSchema.shape);
  return first === "secrets" && third === undefined ? Object.keys(bindingSchema.shape) : [];
}

/** Checks names that refer to something, and keys that exclude each other. */
function checkNames(config: ConfigFile, document: YamlDocument): FatalProblem[] {
  const { providers = {}, sources = [], secrets = {} } = config;
  const known = [...Object.keys(providers), ...OWN_SOURCES];
  const at = (message: string, path: YamlPath, hint?: string) => invalid(message, document.locate(path), hint);
  const { jwt, tlsCert, tlsKey } = config.server ?? {};
  const { privateNetworks, allowHosts } = config.http ?? {};
  return [
    ...(jwt !== undefined && (jwt.jwksUri === undefined) === (jwt.jwksFile === undefined)
      ? [at("'jwt' needs either 'jwksUri' or 'jwksFile'", ["server", "jwt"])]
      : []),
    ...((tlsCert === undefined) === (tlsKey === undefined)
      ? []
      : [at("'tlsCert' and 'tlsKey' go together", ["server", tlsCert === undefined ? "tlsKey" : "tlsCert"])]),
    ...(allowHosts === undefined || privateNetworks === "deny"
      ? []
      : [at("'allowHosts' has no effect without 'privateNetworks: deny'", ["http", "allowHosts"])]),
    ...OWN_SOURCES.filter((name) => Object.hasOwn(providers, name)).map((name) =>
      at(`A provider cannot be called '${name}': that is a source of its own`, ["providers", name]),
    ),
    ...sources.flatMap((name, index) => {
      if (!known.includes(name)) return at(`There is no source '${name}'`, ["sources", index], didYouMean(name, known));
      return sources.indexOf(name) < index ? at(`The source '${name}' is listed twice`, ["sources", index]) : [];
    }),
    ...Object.entries(secrets).flatMap(([name, bound]) => {
      const problem = (message: string, key: keyof typeof bound, hint?: string) =>
        at(message, ["secrets", name, key], hint);
      if (!known.includes(bound.provider)) {
        return problem(`There is no provider '${bound.provider}'`, "provider", didYouMean(bound.provider, known));
      }
      return conflicts(bound).map(([message, key]) => problem(message, key));
    }),
  ];
}

/** The names of options that hold a secret in any type of provider. */
const SECRET_OPTION =
  /^(?:token|jwt|password|passphrase|secret|secret-?id|client-?secret|secret-?access-?key|api-?key|x-api-key|private-?key|authorization|cookie|x-vault-token)$/i;

const WHERE_SECRETS_ARE =
  'Name a variable or a file (tokenEnv, tokenFile), or a secret of the store: "{{ secrets.NAME }}".';

/** Finds secrets that are written in the file, unlike references to secrets. */
function literalSecrets(data: unknown, document: YamlDocument): FatalProblem[] {
  const providers = typeof data === "object" && data !== null && "providers" in data ? data.providers : undefined;
  return literalPaths(providers, ["providers"]).map((path) =>
    invalid(`'${path.join(".")}' must not be in this file`, document.locate(path), WHERE_SECRETS_ARE),
  );
}

function literalPaths(options: unknown, path: YamlPath): YamlPath[] {
  if (typeof options !== "object" || options === null) return [];
  return Object.entries(options).flatMap(([key, value]: [string, unknown]) => {
    const isLiteral = typeof value === "string" && !value.includes("{{") && SECRET_OPTION.test(key);
    return isLiteral ? [[...path, key]] : literalPaths(value, [...path, key]);
  });
}

type Binding = NonNullable<ConfigFile["secrets"]>[string];

/** The keys of a binding that have an effect only with providers. */
const VALUE_KEYS = ["path", "id", "lease", "version", "type", "format", "field", "fields"] as const;

const PLACES = ["path", "id", "variable", "lease"] as const;

function conflicts(bound: Binding): (readonly [string, keyof Binding])[] {
  const [place, ...others] = PLACES.filter((key) => bound[key] !== undefined);
  const { provider, variable, field, fields, fallback } = bound;
  const found: (readonly [string, keyof Binding])[] = others.map((key) => [`'${key}' excludes '${place}'`, key]);
  if (variable !== undefined && provider !== "environment") {
    found.push(["'variable' is for the provider 'environment'", "variable"]);
  }
  if (variable === "AUTOKESTRA_SECRET_KEY") found.push(["The master key cannot be a secret of a workflow", "variable"]);
  if (OWN_SOURCES.includes(provider)) {
    const useless = VALUE_KEYS.filter((key) => bound[key] !== undefined);
    found.push(...useless.map((key) => [`'${key}' has no effect with '${provider}'`, key] as const));
  }
  if (field !== undefined && fields !== undefined) found.push(["'fields' excludes 'field'", "fields"]);
  if (fallback !== undefined && provider === "store") found.push(["The store cannot replace itself", "fallback"]);
  return found;
}

/**
 * Returns the JSON Schema of the file, for editors.
 *
 * @param providers the schemas of all options of the known types of providers. Default: none, which allows any options
 */
export function configJsonSchema(providers: readonly z.ZodObject[] = []): object {
  const known = providers.length === 0 ? providerSchema : z.union(providers);
  const whole = fileSchema.extend({ providers: providersOf(known).exactOptional() });
  return z.toJSONSchema(whole, { io: "input", unrepresentable: "any" });
}
