import { AutokestraError, type ExternalSecretProvider, type SecretSource } from "@autokestra/secrets-core";
import { quoteText, z } from "@autokestra/secrets-core/internal";
import type { CallReport } from "./http-call.ts";
import { createProviderSource, type TextCipher } from "./provider-source.ts";

/** What a provider gets besides its own options. */
export interface ProviderContext {
  /** The name of the provider in the configuration, such as `vault-eu`. */
  readonly id: string;
  readonly env: NodeJS.ProcessEnv;
  /**
   * The folder of the configuration, from which optional npm packages can be loaded. Default: only beside this package.
   */
  readonly configFolder?: string | undefined;
  /** Called after each call to the provider, for counters. Default: nothing. */
  readonly onCall?: ((call: CallReport) => void) | undefined;
  /** Encrypts the values that are kept for `onUnavailable: stale`. Default: none are kept. */
  readonly cipher?: TextCipher | undefined;
}

/** A type of provider. {@link defineProvider} makes one. */
export interface ProviderDefinition {
  /** The `type` in a configuration. */
  readonly type: string;
  /** The schema of its own options. */
  readonly options: z.ZodObject;
  /** Creates a provider. Connects to nothing yet. @throws AutokestraError `OPTION_INVALID` */
  create(options: unknown, context: ProviderContext): ExternalSecretProvider;
}

/**
 * Defines a type of provider, which a configuration can use if the package that exports it is in `providerPackages`.
 *
 * @example
 * ```ts
 * import { defineProvider } from "@autokestra/secrets-providers";
 * import { z } from "zod";
 *
 * const notes = new Map([["DB", "from my notes"]]);
 * const notesProvider = defineProvider({
 *   type: "notes",
 *   options: z.strictObject({}),
 *   create: (_, { id }) => ({
 *     id,
 *     type: "notes",
 *     capabilities: { versions: false, leases: false },
 *     async lookup({ path }) {
 *       const value = notes.get(path);
 *       return value === undefined ? { status: "notFound" } : { status: "found", secret: { value } };
 *     },
 *     check: async () => ({ status: "found", secret: {} }),
 *     close: async () => undefined,
 *   }),
 * });
 * console.log(notesProvider.type); // prints notes
 * ```
 */
export function defineProvider<Schema extends z.ZodObject>(definition: {
  readonly type: string;
  /** The schema of its options: a strict object, so that a mistyped option is an error. */
  readonly options: Schema;
  /** Creates a provider. It must not connect to anything yet. */
  readonly create: (options: z.output<Schema>, context: ProviderContext) => ExternalSecretProvider;
}): ProviderDefinition {
  const { type, options, create } = definition;
  return {
    type,
    options,
    create: (input, context) => create(parseOptions(options, input, context.id), context),
  };
}

/** The options of `createProviderSource`, which every provider has besides its own. */
const sourceOptions = z.strictObject({
  path: z.string().exactOptional(),
  format: z.enum(["json", "text"]).exactOptional(),
  onUnavailable: z.enum(["fallback", "fail", "stale"]).exactOptional(),
  maxStaleSeconds: z.number().positive().exactOptional(),
  onDenied: z.enum(["fallback", "fail"]).exactOptional(),
  timeoutSeconds: z.number().positive().max(60).exactOptional(),
});

/** Returns the schema of all options of a type in a configuration, for checking files and for JSON Schema. */
export function configurationSchema({ type, options }: ProviderDefinition): z.ZodObject {
  return z.strictObject({ type: z.literal(type), ...sourceOptions.shape, ...options.shape });
}

/** A configured provider with its source. */
export interface OpenedProvider {
  readonly provider: ExternalSecretProvider;
  readonly source: SecretSource;
  /** True if names that are not bound are looked up there too. */
  readonly hasPath: boolean;
}

/**
 * Creates a provider and its source from a configuration. Connects to nothing yet.
 *
 * @param configuration the options that {@link configurationSchema} describes
 * @throws AutokestraError `OPTION_INVALID`
 */
export function openProvider(
  definition: ProviderDefinition,
  configuration: Readonly<Record<string, unknown>>,
  context: ProviderContext,
): OpenedProvider {
  const { onCall, cipher } = context;
  const entries = Object.entries(configuration).filter(([key]) => key !== "type");
  const isOfSource = ([key]: readonly [string, unknown]) => Object.hasOwn(sourceOptions.shape, key);
  const ofSource = parseOptions(sourceOptions, Object.fromEntries(entries.filter(isOfSource)), context.id);
  const provider = definition.create(Object.fromEntries(entries.filter((entry) => !isOfSource(entry))), context);
  return {
    provider,
    source: createProviderSource(provider, { ...ofSource, onCall, cipher }),
    hasPath: ofSource.path !== undefined,
  };
}

function parseOptions<Schema extends z.ZodObject>(schema: Schema, input: unknown, id: string): z.output<Schema> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => [path.join("."), message].filter(Boolean).join(": "));
  throw new AutokestraError("OPTION_INVALID", `The provider '${quoteText(id)}' cannot be used: ${problems.join("; ")}`);
}
