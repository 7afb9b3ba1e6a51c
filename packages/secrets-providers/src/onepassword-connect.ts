/**
 * Takes secrets from 1Password, through a Connect server.
 *
 * @module
 */
import type { CallLimits, ExternalSecretProvider, ProviderAnswer } from "@autokestra/secrets-core";
import { z } from "@autokestra/secrets-core/internal";
import { type Failure, malformed, notFound, quoteLong } from "./answers.ts";
import { defineProvider, type ProviderContext, type ProviderDefinition } from "./define-provider.ts";
import { type ConnectionOptions, connectionShape } from "./dispatcher.ts";
import type { HttpRequest, HttpResponse } from "./exchange.ts";
import { createHttpClient, failureOf, readJson } from "./http-call.ts";
import { createLogin, sendSignedIn } from "./login.ts";
import { readToken, type TokenOptions, tokenShape } from "./token.ts";

export interface OnePasswordConnectProviderOptions
  extends Omit<ConnectionOptions, "env">,
    TokenOptions,
    Partial<ProviderContext> {
  /** The title of the vault, or its id, which saves one call for each secret. */
  readonly vault: string;
}

/**
 * Creates a provider for a 1Password Connect server. A path is the title or the id of an item. The fields of the secret
 * are those of the item, by label, or by `section.label` if several have the same label.
 *
 * @throws AutokestraError `OPTION_INVALID`
 *
 * @example
 * ```ts
 * import { createOnePasswordConnectProvider } from "@autokestra/secrets-providers/onepassword-connect";
 *
 * const provider = createOnePasswordConnectProvider({
 *   address: "https://connect.example",
 *   vault: "Deployment",
 *   tokenFile: "/run/secrets/connect-token",
 * });
 * ```
 */
export function createOnePasswordConnectProvider(options: OnePasswordConnectProviderOptions): ExternalSecretProvider {
  const { id = "onepassword-connect", env = process.env, onCall, vault } = options;
  const client = createHttpClient({ ...options, provider: id, env, onCall });
  const login = createLogin({ logIn: async () => await readToken(options, env) });

  return {
    id,
    type: "onepassword-connect",
    capabilities: { versions: false, leases: false },

    async lookup({ path }, limits) {
      const get: Get = async (request, schema) => await send(request, schema, limits);
      const vaultId = ID.test(vault) ? { value: vault } : await findVault(get, vault);
      if (!("value" in vaultId)) return vaultId;
      const items = `/v1/vaults/${encodeURIComponent(vaultId.value)}/items`;
      const itemId = ID.test(path) ? { value: path } : await findItem(get, items, path);
      if (!("value" in itemId)) return itemId;
      const request = { call: "read", path: `${items}/${encodeURIComponent(itemId.value)}` };
      const item = await get(request, itemSchema);
      return "value" in item ? readItem(item.value, path) : item;
    },

    async check(limits) {
      const get: Get = async (request, schema) => await send(request, schema, limits);
      const found = ID.test(vault)
        ? await get({ call: "check", path: `/v1/vaults/${vault}` }, z.object({ id: z.string() }))
        : await findVault(get, vault);
      return "value" in found ? { status: "found", secret: {} } : found;
    },

    close: async () => await client.close(),
  };

  async function send<Value>(
    request: HttpRequest,
    schema: z.ZodType<Value>,
    limits: CallLimits,
  ): Promise<Found<Value>> {
    const response = await sendSignedIn(login, client, request, limits);
    if (!("headers" in response)) return response;
    return response.status === 200 ? readJson(response, schema) : connectFailure(response);
  }
}

/** The form of an id of 1Password. */
const ID = /^[a-z0-9]{26}$/;

type Found<Value> = { readonly value: Value } | Failure;
type Get = <Value>(request: HttpRequest, schema: z.ZodType<Value>) => Promise<Found<Value>>;

/** Returns a SCIM filter. Its texts are written as in JSON. */
function withTitle(title: string): URLSearchParams {
  return new URLSearchParams({ filter: `title eq ${JSON.stringify(title)}` });
}

const CHECK_VAULT = "Check the vault, and whether the token has access to it.";

async function findVault(get: Get, title: string): Promise<Found<string>> {
  const vaults = await get(
    { call: "find vault", path: "/v1/vaults", query: withTitle(title) },
    z.array(z.object({ id: z.string(), name: z.string() })),
  );
  if (!("value" in vaults)) return vaults;
  const [first, ...others] = vaults.value.filter(({ name }) => name === title);
  if (first === undefined)
    return malformed(`there is no vault ${quoteLong(title)} that the token may see`, CHECK_VAULT);
  if (others.length === 0) return { value: first.id };
  return malformed(`${others.length + 1} vaults have the title ${quoteLong(title)}`, "Name the vault by its id.");
}

const itemsSchema = z.array(z.object({ id: z.string(), title: z.string(), state: z.string().nullish() }));

async function findItem(get: Get, items: string, title: string): Promise<Found<string>> {
  const found = await get({ call: "find item", path: items, query: withTitle(title) }, itemsSchema);
  if (!("value" in found)) return found;
  // Compared again, because the server may ignore case, or interpret a title as a part of the filter.
  const same = found.value.filter((item) => item.title === title);
  const [first, ...others] = same.some(({ state }) => !state) ? same.filter(({ state }) => !state) : same;
  if (first === undefined) return notFound(`There is no item ${quoteLong(title)} in the vault.`);
  if (others.length === 0) return { value: first.id };
  return malformed(`${others.length + 1} items have the title ${quoteLong(title)}`, "Name the item by its id.");
}

const itemSchema = z.object({
  version: z.number().optional(),
  /** Set only if it is archived or deleted. */
  state: z.string().nullish(),
  sections: z.array(z.object({ id: z.string(), label: z.string().optional() })).optional(),
  fields: z
    .array(
      z.object({
        id: z.string(),
        label: z.string().optional(),
        value: z.string().optional(),
        section: z.object({ id: z.string() }).optional(),
      }),
    )
    .optional(),
});

type Item = z.output<typeof itemSchema>;

function readItem(item: Item, path: string): ProviderAnswer {
  const what = `the item ${quoteLong(path)}`;
  if (item.state) return notFound(`The item ${quoteLong(path)} is ${quoteLong(item.state.toLowerCase())}.`);
  // An unused field has no value or an empty one.
  const fields = nameFields(item).filter(([, value]) => value);
  const names = fields.map(([name]) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    return malformed(`${what} has two fields ${quoteLong(twice)}`, "Give one of them another label.");
  if (fields.length === 0) return malformed(`${what} has no field with a value`, "Files of an item are not read.");
  const { version } = item;
  return {
    status: "found",
    secret: { value: Object.fromEntries(fields), ...(version !== undefined && { version: String(version) }) },
  };
}

/** Returns the name of a field: its label, or section and label if others have the same label. */
function nameFields({ fields = [], sections = [] }: Item): [name: string, value: string | undefined][] {
  const labels = fields.map(({ id, label }) => label || id);
  const titles = new Map(sections.map(({ id, label }) => [id, label || id]));
  return fields.map(({ section, value }, index) => {
    const label = labels[index] ?? "";
    const isRepeated = labels.indexOf(label) !== labels.lastIndexOf(label);
    const prefix = isRepeated && section !== undefined ? `${titles.get(section.id) ?? section.id}.` : "";
    return [`${prefix}${label}`, value];
  });
}

const HINTS: Readonly<Record<number, string>> = {
  401: "The token is wrong, expired or revoked.",
  403: "Give the token access to the vault.",
};

function connectFailure(response: HttpResponse): Failure {
  const json = readJson(response, z.object({ message: z.string() }));
  // A vault that does not exist says nothing about a secret.
  if (response.status === 404 && "value" in json && /^vault\b/i.test(json.value.message)) {
    return malformed(`${response.asked}: 404, there is no such vault`, CHECK_VAULT);
  }
  return failureOf(response, { hint: HINTS[response.status] });
}

/** The type `onepassword-connect` of a configuration. */
export const onePasswordConnectProvider: ProviderDefinition = defineProvider({
  type: "onepassword-connect",
  options: z.strictObject({ ...connectionShape, ...tokenShape, address: z.string(), vault: z.string().min(1) }),
  create: (options, context) => createOnePasswordConnectProvider({ ...options, ...context }),
});
