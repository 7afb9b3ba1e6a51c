import { checkInput, type ValidInput } from "./check-input.ts";
import { checkExpected, checkStored } from "./check-stored.ts";
import { AutokestraError, secretNotFound } from "./errors.ts";
import { secrecyOf } from "./field-secrecy.ts";
import type { SecretInput, SecretMetadata } from "./secret.ts";
import { SecretChanges, withExpiry } from "./secret-changes.ts";
import { parseSecretName, type SecretName } from "./secret-name.ts";
import { changePolicy } from "./secret-policy.ts";
import { type DecryptedSecret, SecretReader } from "./secret-reader.ts";
import type { SecretService, SecretServiceOptions, WriteOptions } from "./secret-service.ts";
import type { SecretFilter, SecretStore } from "./secret-store.ts";
import { fieldsOfValue } from "./secret-type.ts";
import { retryWhileOthersWrite, SecretWriter } from "./secret-writer.ts";
import { passesFilter } from "./store-rules.ts";

/**
 * Creates the service that reads and writes secrets by name: it validates them, encrypts them and keeps them in a
 * store. `openSecretsManager` of `@autokestra/secrets` finds store and key as the command line does; use this function
 * to combine a store and an encryption of your own.
 *
 * @param options the service closes `store` and `encryption` when it is closed
 *
 * @example
 * ```ts
 * import { createMemoryStore, createSecretService, type Plaintext, type SecretEncryption } from "@autokestra/secrets-core";
 *
 * // A stand-in that encrypts nothing. A real one comes from `createSecretEncryption` of @autokestra/secrets-crypto.
 * const encryption: SecretEncryption = {
 *   encrypt: async (secrets) => ({
 *     header: null,
 *     secrets: secrets.map(({ metadata, plaintext }) => {
 *       const ciphertext = new TextEncoder().encode(plaintext);
 *       const [nonce, tag] = [new Uint8Array(12), new Uint8Array(16)];
 *       return { metadata, envelope: { format: 2, keyId: "00000000", nonce, ciphertext, tag }, mac: "" };
 *     }),
 *   }),
 *   decrypt: async (_, { ciphertext }) => new TextDecoder().decode(ciphertext) as Plaintext,
 *   authenticate: async (secrets) => ({ secrets, header: null }),
 *   verify: async () => undefined,
 *   refresh: async () => undefined,
 *   close: () => undefined,
 * };
 *
 * const secrets = createSecretService({
 *   store: createMemoryStore(),
 *   encryption,
 *   now: () => new Date().toISOString(),
 *   newId: () => crypto.randomUUID(),
 * });
 * await secrets.set({ name: "GITHUB_TOKEN", type: "apiKey", fields: { value: "ghp_example" }, tags: ["ci"] });
 * const { version } = await secrets.set({ name: "GITHUB_TOKEN", type: "apiKey", fields: { value: "ghp_next" } });
 * console.log(version, (await secrets.get("GITHUB_TOKEN")).fields); // prints 2 { value: 'ghp_next' }
 * console.log((await secrets.list({ tags: ["ci"] })).map(({ name }) => name)); // prints [ 'GITHUB_TOKEN' ]
 * await secrets.close();
 * ```
 */
export function createSecretService(options: SecretServiceOptions): SecretService {
  const reader = new SecretReader(options);
  const writer = new SecretWriter(options);
  const parts = { options, reader, writer, changes: new SecretChanges(options, reader, writer) };
  return {
    ...createReads(parts),
    ...createWrites(parts),
    ...createChanges(parts),
    async close() {
      options.encryption.close();
      await options.store.close();
    },
  };
}

/** What the methods of a service share. */
interface ServiceParts {
  readonly options: SecretServiceOptions;
  readonly reader: SecretReader;
  readonly writer: SecretWriter;
  readonly changes: SecretChanges;
}

type Reads = "get" | "find" | "describe" | "versions" | "list" | "listVerified" | "count";

function createReads({ options: { store }, reader }: ServiceParts): Pick<SecretService, Reads> {
  return {
    async get(name, { atVersion } = {}) {
      const { metadata, fields, flags } = await reader.decrypt(parseSecretName(name), atVersion);
      return { metadata, fields, flags };
    },

    async find(name) {
      return (await store.get(parseSecretName(name)))?.metadata ?? null;
    },

    async describe(text) {
      const name = parseSecretName(text);
      const { metadata, fields, flags } = await reader.decrypt(name);
      const secrecy = secrecyOf(metadata.type, fields, flags);
      const shown = secrecy.filter((field) => field.public).map((field) => [field.name, fields[field.name]]);
      const versions = await reader.versions(name);
      return {
        metadata,
        fields: secrecy,
        publicFields: Object.fromEntries(shown),
        versions: versions.map((version) => version.metadata),
      };
    },

    async versions(name) {
      return (await reader.versions(parseSecretName(name))).map(({ metadata }) => metadata);
    },

    list: async (filter) => await store.list(checkFilter(reader, filter)),

    async listVerified(filter) {
      const listed = await store.list(checkFilter(reader, filter));
      const found = await Promise.all(listed.map(async ({ id }) => await reader.findVerified(id)));
      const secrets = found.flatMap((secret) =>
        secret !== null && passesFilter(secret.metadata, filter) ? secret.metadata : [],
      );
      return { secrets, listed: listed.length, last: listed.at(-1) ?? null };
    },

    count: async (filter) => await store.count(checkFilter(reader, filter)),
  };
}

type Writes = "create" | "update" | "set" | "setValue" | "setAll" | "rollback";

/** Creates the methods that create secrets and add versions to them. */
function createWrites(parts: ServiceParts): Pick<SecretService, Writes> {
  const { options, reader, writer } = parts;

  async function set(input: SecretInput, conditions: WriteOptions = {}): Promise<SecretMetadata> {
    return written(await overwrite(parts, [checkInput(input, options.now, conditions)]));
  }

  return {
    async create(input) {
      const valid = checkInput(input, options.now);
      return written(await writer.write([valid], [null]));
    },

    async update(input, ifVersion) {
      await reader.current(parseSecretName(input.name));
      return await set(input, { ifVersion });
    },

    set,

    async setValue(text, value, more = {}, expected = {}) {
      const name = parseSecretName(text);
      return await retryWhileOthersWrite(async () => {
        const current = await reader.decrypt(name);
        checkStored(current.metadata, expected);
        const { type } = current.metadata;
        const fields = fieldsOfValue(name, type, value, current.fields);
        const next = checkInput({ ...more, name, type, fields }, options.now);
        return async () => written(await writeAfter(parts, [next], [current]));
      });
    },

    async setAll(inputs) {
      return await overwrite(parts, checkNames(inputs.map((input) => checkInput(input, options.now))));
    },

    async rollback(text, toVersion, expected = {}) {
      const name = parseSecretName(text);
      return await retryWhileOthersWrite(async () => {
        const older = await reader.decrypt(name, toVersion);
        const current = await reader.decrypt(name);
        checkStored(current.metadata, expected);
        const next = rolledBack(older, current.metadata);
        return async () => written(await writer.write([next], [current]));
      });
    },
  };
}

/** Creates the methods that change stored secrets in place, or remove them. */
function createChanges({
  options,
  changes,
}: ServiceParts): Pick<SecretService, "edit" | "rename" | "delete" | "restore"> {
  return {
    async edit(name, change, editOptions = {}) {
      return await changes.edit(parseSecretName(name), change, editOptions);
    },

    async rename(from, to, expected = {}, change = {}) {
      return await changes.rename(parseSecretName(from), parseSecretName(to), expected, change);
    },

    async delete(text, { purge: isFinal = false, id, ifRevision } = {}) {
      const name = parseSecretName(text);
      if (isFinal) return await purge(options.store, name, id);
      await changes.delete(name, { ifId: id, ifRevision });
      return 1;
    },

    async restore(name, { id } = {}) {
      return await changes.restore(parseSecretName(name), id);
    },
  };
}

/** @throws AutokestraError `OPTION_INVALID` */
function checkFilter(reader: SecretReader, filter: SecretFilter = {}): SecretFilter {
  for (const [what, count] of Object.entries({ limit: filter.limit, skip: filter.skip })) {
    if (count !== undefined && !(Number.isSafeInteger(count) && count >= 0)) {
      throw new AutokestraError("OPTION_INVALID", `The ${what} of a list must be a whole number from 0 on`);
    }
  }
  return (filter.state ?? "active") === "active" ? filter : { ...filter, retentionStart: reader.retentionStart() };
}

/**
 * Adds a version after each stored secret, and tries again after a conflict.
 *
 * @throws AutokestraError `VERSION_CONFLICT` if an input expects another version or type
 */
async function overwrite(parts: ServiceParts, inputs: readonly ValidInput[]): Promise<readonly SecretMetadata[]> {
  return await retryWhileOthersWrite(async () => {
    const found: (DecryptedSecret | null)[] = [];
    for (const input of inputs) {
      const stored = await parts.reader.decryptIfFound(input.name);
      checkExpected(input, stored?.current.metadata ?? null);
      found.push(stored);
    }
    return () => writeAfter(parts, inputs, found);
  });
}

/** Every version is bound to the policy: another one is stored for all of them with the new version, at once. */
async function writeAfter(
  { writer, changes }: ServiceParts,
  inputs: readonly ValidInput[],
  currents: readonly (DecryptedSecret | null)[],
): Promise<SecretMetadata[]> {
  for (const [index, input] of inputs.entries()) {
    const current = currents[index] ?? null;
    if (current === null || !changesPolicy(input, current)) continue;
    if (inputs.length > 1) throw policyOfOne(input.name);
    return [await changes.set(input, current)];
  }
  return await writer.write(inputs, currents);
}

/** Also removes damaged records, because ids are found without metadata. */
async function purge(store: SecretStore, name: SecretName, only: string | undefined): Promise<number> {
  // One transaction, so that a process that is killed leaves no name half purged.
  const ids = (await store.ids({ name })).filter((id) => only === undefined || id === only);
  if (!(await store.purge(...ids))) throw secretNotFound(name);
  return ids.length;
}

/**
 * Returns the value of an older version as a new version of the secret.
 *
 * @throws AutokestraError `VALUE_INVALID` if the older version has another type
 */
function rolledBack({ metadata, fields }: DecryptedSecret, today: SecretMetadata): ValidInput {
  const { name, type, expiresAt } = today;
  if (metadata.type !== type) {
    const message = `Version ${metadata.version} of secret '${name}' is of type ${metadata.type}, and the secret is of type ${type} now`;
    throw new AutokestraError("VALUE_INVALID", message, { hint: "Read the older value, and set it with its type." });
  }
  return { name, type, expiresAt, fields: withExpiry(type, fields, expiresAt) };
}

function changesPolicy({ name, allow }: ValidInput, { current }: DecryptedSecret): boolean {
  const { policy } = current.metadata;
  return allow !== undefined && changePolicy(name, policy, allow) !== policy;
}

/** Each policy is for all versions of a secret, which are written again. */
function policyOfOne(name: SecretName): AutokestraError {
  return new AutokestraError("VALUE_INVALID", `Secret '${name}': change who may use it in a call of its own`);
}

function written([metadata]: readonly SecretMetadata[]): SecretMetadata {
  if (metadata === undefined) throw new TypeError("nothing was written");
  return metadata;
}

function checkNames(inputs: readonly ValidInput[]): readonly ValidInput[] {
  const seen = new Set<SecretName>();
  for (const { name } of inputs) {
    if (seen.has(name)) throw new AutokestraError("VALUE_INVALID", `Secret '${name}' is given more than once`);
    seen.add(name);
  }
  return inputs;
}
