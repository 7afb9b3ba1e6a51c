import { dirname, resolve } from "node:path";
import { SECRET_TYPES, type SecretBinding } from "@autokestra/secrets-core";
import { isIdentifier, isReserved } from "@autokestra/secrets-core/internal";
import { z } from "zod";
import { didYouMean } from "./nearest-name.ts";
import { type FatalProblem, FileError, type Position } from "./problem.ts";
import { type FileShape, shapeProblems } from "./shape-problems.ts";
import { parseYaml, QUOTES, type YamlDocument, type YamlPath } from "./yaml-document.ts";

declare module "@autokestra/secrets-core" {
  interface ErrorDetails {
    CONFIG_NOT_FOUND: object;
    CONFIG_INVALID: object;
  }
}

export { MAX_BYTES } from "./yaml-document.ts";

/** A name as in references. */
const nameSchema = z
  .string()
  .refine(
    (text) => isIdentifier(text) && !isReserved(text),
    "must be a name of letters, digits, underscore and hyphen",
  );

const pathSchema = z.string().min(1);

const storageSchema = z.strictObject({
  path: pathSchema.describe("Folder of the secrets, relative to the folder of this file").exactOptional(),
  backend: z.enum(["auto", "sqlite", "file"]).describe("Driver of the store. Default: auto").exactOptional(),
});

const runsSchema = z.strictObject({
  path: pathSchema.describe("File of the run history, relative to the folder of this file").exactOptional(),
});

const maskingSchema = z.strictObject({
  placeholder: z
    .string()
    .min(1)
    .max(100)
    .describe("Text that is shown instead of a secret. Default: ***SECRET***")
    .exactOptional(),
});

const ON_OFF = z.union([z.boolean(), z.enum(["on", "off"]).transform((text) => text === "on")]);

const requiredSchema = z
  .boolean()
  .describe("Values are given out only once it has the record. Default: false")
  .exactOptional();

const sinkSchema = z.union(
  [
    z.strictObject({
      syslog: z
        .string()
        .regex(/^(?:tcp|tls):\/\/[^/]+:\d+$/, "must be tcp://host:port or tls://host:port")
        .describe("Server of RFC 5424 messages: tcp://host:port or tls://host:port"),
      ca: pathSchema.describe("Certificates that are trusted, relative to the folder of this file").exactOptional(),
      required: requiredSchema,
    }),
    z.strictObject({
      command: z.array(z.string()).min(1).describe("Program with its arguments; gets one JSON object a line"),
      required: requiredSchema,
    }),
  ],
  "must have `syslog` or `command`",
);

const auditSchema = z.strictObject({
  on: ON_OFF.describe("Record what is read and changed. Default: true").exactOptional(),
  keepDays: z.int().min(1).max(36_500).describe("How many days records are kept. Default: 400").exactOptional(),
  sink: sinkSchema.describe("Where records go besides the log").exactOptional(),
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

const countSchema = z.int().min(1).max(1_000_000);

const jwtSchema = z.strictObject({
  issuer: z.string().min(1).describe("Who signs the tokens: their `iss`"),
  audience: z.string().min(1).describe("Whom they are for: their `aud`"),
  jwksUri: z
    .url({ protocol: /^https?$/ })
    .describe("Where the public keys are")
    .exactOptional(),
  jwksFile: pathSchema.describe("File with the public keys, relative to the folder of this file").exactOptional(),
  rolesClaim: z.string().min(1).describe("Claim with the role, or a list of roles. Default: roles").exactOptional(),
  prefixesClaim: z.string().min(1).describe("Claim that narrows to beginnings of names").exactOptional(),
  tagsClaim: z.string().min(1).describe("Claim that narrows to tags").exactOptional(),
});

const serverSchema = z.strictObject({
  host: z.string().min(1).describe("Address to listen on. Default: 127.0.0.1").exactOptional(),
  port: z.int().min(0).max(65_535).describe("Port to listen on. Default: 8000").exactOptional(),
  tlsCert: pathSchema.describe("File of the certificate, relative to the folder of this file").exactOptional(),
  tlsKey: pathSchema.describe("File of its private key, relative to the folder of this file").exactOptional(),
  behindProxy: z
    .array(z.string().min(1))
    .describe("Addresses of proxies, as CIDR: only they are served")
    .exactOptional(),
  hosts: z.array(z.string().min(1)).describe("Names under which the server is reached, besides `host`").exactOptional(),
  corsOrigin: z.array(z.string().min(1)).describe("Origins whose pages may call the server").exactOptional(),
  log: z.boolean().describe("Write a line for each request to standard error. Default: true").exactOptional(),
  requestsPerMinute: countSchema.describe("Requests of one token a minute. Default: 6000").exactOptional(),
  refusedPerMinute: countSchema.describe("Refused attempts of one address a minute. Default: 30").exactOptional(),
  roles: z
    .record(nameSchema, z.array(z.string().min(1)))
    .describe("Roles besides the built-in ones: the permissions of each")
    .exactOptional(),
  jwt: jwtSchema.describe("Signed tokens of an identity provider").exactOptional(),
});

const fileSchema = z.strictObject({
  storage: storageSchema.exactOptional(),
  keyFile: pathSchema.describe("Key file, relative to the folder of this file").exactOptional(),
  maxVersions: z.int().min(1).describe("Maximum number of versions of a secret. Default: 10").exactOptional(),
  runs: runsSchema.exactOptional(),
  masking: maskingSchema.exactOptional(),
  audit: z
    .union([ON_OFF, auditSchema], "must be on, off or its settings")
    .describe("Audit log: on, off, or its settings. Default: off")
    .exactOptional(),
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
  server: serverSchema.describe("The HTTP API").exactOptional(),
});

type ConfigFile = z.output<typeof fileSchema>;

/** Keys that later versions will use. They are refused, so that they are not silently ignored. */
const RESERVED_KEYS = new Set(["http", "plugins"]);

/** The sources that need no configuration. */
const OWN_SOURCES = ["store", "environment"];

/** The configuration of one provider, as it is written. Its `type` decides the other options. */
export interface ProviderConfig {
  readonly type: string;
  readonly [option: string]: unknown;
}

/** The signed tokens that the server accepts. Either `jwksUri` or `jwksFile` names their public keys. */
export interface JwtConfig {
  readonly issuer: string;
  readonly audience: string;
  readonly jwksUri?: string;
  readonly jwksFile?: string;
  /** The claims with the roles and the narrowing of a token. Defaults: `roles`, and none. */
  readonly rolesClaim?: string;
  readonly prefixesClaim?: string;
  readonly tagsClaim?: string;
}

/** The settings of the server. Paths are absolute. A key that is not set is undefined. */
export interface ServerConfig {
  readonly host?: string;
  readonly port?: number;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly behindProxy?: readonly string[];
  readonly hosts?: readonly string[];
  readonly corsOrigin?: readonly string[];
  readonly log?: boolean;
  readonly requestsPerMinute?: number;
  readonly refusedPerMinute?: number;
  /** The permissions of each role; whether there are such permissions is not checked here. */
  readonly roles?: Readonly<Record<string, readonly string[]>>;
  readonly jwt?: JwtConfig;
}

/** The settings of the audit log. */
export interface AuditConfig {
  readonly on: boolean;
  readonly keepDays: number | undefined;
  readonly sink:
    | { readonly syslog: string; readonly ca?: string | undefined; readonly required?: boolean | undefined }
    | { readonly command: readonly string[]; readonly required?: boolean | undefined }
    | undefined;
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
  readonly server: ServerConfig;
  /**
   * Checks the options of a provider against the schema of its type. Problems have their places in the file.
   *
   * @param options the schema of all options of the type
   * @throws FileError `CONFIG_INVALID`
   */
  checkProvider(name: string, options: z.ZodObject): void;
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
  fail(reservedKeys(data, document));
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
  };
}

function toConfig(config: ConfigFile, path: string): Omit<Config, "checkProvider"> {
  const { storage, runs, masking, providers = {}, providerPackages = [], secrets = {}, server = {} } = config;
  const absolute = (relative: string | undefined) =>
    relative === undefined ? undefined : resolve(dirname(path), relative);
  return {
    path,
    storagePath: absolute(storage?.path),
    backend: storage?.backend,
    keyFile: absolute(config.keyFile),
    maxVersions: config.maxVersions,
    runsPath: absolute(runs?.path),
    placeholder: masking?.placeholder,
    environment: config.env,
    audit: toAudit(config.audit, absolute),
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
    server: withAbsolutePaths(server, absolute),
  };
}

function withAbsolutePaths(
  server: ServerConfig,
  absolute: (relative: string | undefined) => string | undefined,
): ServerConfig {
  const { tlsCert, tlsKey, jwt } = server;
  return {
    ...server,
    ...(tlsCert !== undefined && { tlsCert: absolute(tlsCert) ?? tlsCert }),
    ...(tlsKey !== undefined && { tlsKey: absolute(tlsKey) ?? tlsKey }),
    ...(jwt?.jwksFile !== undefined && { jwt: { ...jwt, jwksFile: absolute(jwt.jwksFile) ?? jwt.jwksFile } }),
  };
}

function toAudit(
  audit: ConfigFile["audit"],
  absolute: (relative: string | undefined) => string | undefined,
): AuditConfig | undefined {
  if (audit === undefined) return undefined;
  if (typeof audit === "boolean") return { on: audit, keepDays: undefined, sink: undefined };
  const { on = true, keepDays, sink } = audit;
  const isSyslog = sink !== undefined && "syslog" in sink;
  return { on, keepDays, sink: isSyslog ? { ...sink, ca: absolute(sink.ca) } : sink };
}

const SHAPE: FileShape = { subject: "The configuration", invalid, knownKeys };

function invalid(message: string, position?: Position, hint?: string): FatalProblem {
  return { code: "CONFIG_INVALID", message, position, hint };
}

function knownKeys([first, second, third]: YamlPath): readonly string[] {
  if (first === undefined) return Object.keys(fileSchema.shape);
  if (first === "storage") return Object.keys(storageSchema.shape);
  if (first === "runs") return Object.keys(runsSchema.shape);
  if (first === "audit") return Object.keys(auditSchema.shape);
  if (first === "masking") return Object.keys(maskingSchema.shape);
  if (first === "server") return Object.keys(second === "jwt" ? jwtSchema.shape : serverSchema.shape);
  return first === "secrets" && third === undefined ? Object.keys(bindingSchema.shape) : [];
}

function reservedKeys(data: unknown, document: YamlDocument): FatalProblem[] {
  const keys = typeof data === "object" && data !== null ? Object.keys(data) : [];
  return keys
    .filter((key) => RESERVED_KEYS.has(key))
    .map((key) =>
      invalid(`'${key}' has no effect yet`, document.locate([key]), "Remove it: this version does not act on it."),
    );
}

/** Checks names that refer to something, and keys that exclude each other. */
function checkNames(config: ConfigFile, document: YamlDocument): FatalProblem[] {
  const { providers = {}, sources = [], secrets = {} } = config;
  const known = [...Object.keys(providers), ...OWN_SOURCES];
  const at = (message: string, path: YamlPath, hint?: string) => invalid(message, document.locate(path), hint);
  const { jwt, tlsCert, tlsKey } = config.server ?? {};
  return [
    ...(jwt !== undefined && (jwt.jwksUri === undefined) === (jwt.jwksFile === undefined)
      ? [at("'jwt' needs either 'jwksUri' or 'jwksFile'", ["server", "jwt"])]
      : []),
    ...((tlsCert === undefined) === (tlsKey === undefined)
      ? []
      : [at("'tlsCert' and 'tlsKey' go together", ["server", tlsCert === undefined ? "tlsKey" : "tlsCert"])]),
    ...OWN_SOURCES.filter((name) => Object.hasOwn(providers, name)).map((name) =>
      at(`A provider cannot be called '${name}': that is a source of its own`, ["providers", name]),
    ),
    ...Object.entries(providers).flatMap(([name, { onUnavailable }]) =>
      onUnavailable === "stale"
        ? [
            at(
              "An earlier value ('stale') can be used with serve only",
              ["providers", name, "onUnavailable"],
              "Use fallback or fail.",
            ),
          ]
        : [],
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
