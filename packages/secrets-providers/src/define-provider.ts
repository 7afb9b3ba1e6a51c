import { AutokestraError, type ExternalSecretProvider, type SecretSource } from "@autokestra/secrets-core";
import { quoteText, z } from "@autokestra/secrets-core/internal";
import type { CallReport } from "./http-call.ts";
import { createProviderSource, type TextCipher } from "./provider-source.ts";

/** What a provider gets beside its own options. */
export interface ProviderContext {
  /** As it is configured: `vault`, `vault-eu`. */
  readonly id: string;
  readonly env: NodeJS.ProcessEnv;
  /** Where the configuration is: optional npm packages are looked for there too. Default: beside this package alone. */
  readonly configFolder?: string | undefined;
  /** Called for each call that was made, for counters. Default: nobody counts. */
  readonly onCall?: ((call: CallReport) => void) | undefined;
  /** Encrypts what is kept for `onUnavailable: stale`. Default: nothing is kept. */
  readonly cipher?: TextCipher | undefined;
}

/** A type of provider: what it is called, how it is configured, and how one is made. */
export interface ProviderDefinition {
  /** What `type` says in a configuration. */
  readonly type: string;
  /** Its own options, as they are configured. */
  readonly options: z.ZodObject;
  /** @throws AutokestraError `OPTION_INVALID` */
  create(options: unknown, context: ProviderContext): ExternalSecretProvider;
}

/**
 * Defines a type of provider.
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
  /** A strict object, so that a mistyped option is not taken for none. */
  readonly options: Schema;
  /** Connects to nothing yet. */
  readonly create: (options: z.output<Schema>, context: ProviderContext) => ExternalSecretProvider;
}): ProviderDefinition {
  const { type, options, create } = definition;
  return {
    type,
    options,
    create: (input, context) => create(parseOptions(options, input, context.id), context),
  };
}

/** How a provider serves as a source, as it is configured beside its own options. */
const sourceOptions = z.strictObject({
  path: z.string().exactOptional(),
  format: z.enum(["json", "text"]).exactOptional(),
  onUnavailable: z.enum(["fallback", "fail", "stale"]).exactOptional(),
  maxStaleSeconds: z.number().positive().exactOptional(),
  onDenied: z.enum(["fallback", "fail"]).exactOptional(),
  timeoutSeconds: z.number().positive().max(60).exactOptional(),
});

/** All that a configuration says of a provider of this type: for checks of whole files, and for JSON Schema. */
export function configurationSchema({ type, options }: ProviderDefinition): z.ZodObject {
  return z.strictObject({ type: z.literal(type), ...sourceOptions.shape, ...options.shape });
}

/** A provider that is configured, and the source that it serves as. */
export interface OpenedProvider {
  readonly provider: ExternalSecretProvider;
  readonly source: SecretSource;
  /** True where names that are bound to nothing are looked for there. */
  readonly hasPath: boolean;
}

/**
 * Makes a provider as it is configured. Connects to nothing yet.
 *
 * @param configuration what {@link configurationSchema} describes
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
