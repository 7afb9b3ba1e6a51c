import {
  AutokestraError,
  createSecretService,
  type MasterKeyProvider,
  type SecretEncryption,
  type SecretService,
  type SecretSource,
  type SecretStore,
} from "@autokestra/secrets-core";
import {
  createKeptValueKeys,
  createKeyManager,
  createMasterKeyProvider,
  createSecretEncryption,
  type KeptValueKeys,
  type KeyManager,
  type MasterKeyOptions,
} from "@autokestra/secrets-crypto";
import { keyFilePath, keyFolderOf, openKnownStores } from "@autokestra/secrets-crypto/internal";
import type { AuditActor, AuditLog } from "./access/audit-event.ts";
import type { AuditContext } from "./access/audited-service.ts";
import { storeLocation } from "./folders.ts";
import { keepApart, type Location, locationText } from "./location.ts";
import { openStore, type StoreOptions } from "./open-store.ts";

export interface SecretsOptions extends StoreOptions {
  /**
   * The path of the key file, which is the only key that is tried. Default: the key or key file of the environment,
   * else that of `defaults`, else the keys in the key folder.
   */
  readonly keyFile?: string | undefined;
  /** The folder of the keys. Default: `.autokestra` in the home folder; null: none. */
  readonly keyFolder?: string | null | undefined;
  /** Leave the master key in the environment. Default: false, it is removed from `env`. */
  readonly keepInEnvironment?: boolean | undefined;
  /**
   * The maximum number of versions of a secret. Default: `WORKFLOW_SECRETS_KEEP_VERSIONS`, else that of `defaults`,
   * else 10.
   */
  readonly maxVersions?: number | undefined;
  /** Record what is read and changed. Default: `AUTOKESTRA_AUDIT` (`on`, `off`), else what `defaults` says, else false. */
  readonly audit?: boolean | undefined;
  /** Who does what is recorded. Default: the user that this process runs as. */
  readonly actor?: AuditActor | undefined;
}

/** The secrets of one folder or URL, with their store and their keys. {@link openSecretsManager} opens it. */
export interface SecretsManager {
  readonly store: SecretStore;
  /** Where the store is. */
  readonly location: Location;
  /** The name of the driver of the store; null if there is no store yet. */
  readonly driver: string | null;
  /** The folder of the keys; null if there is none. */
  readonly keyFolder: string | null;
  readonly provider: MasterKeyProvider;
  readonly keys: KeyManager;
  readonly encryption: SecretEncryption;
  /** Encrypts what runs keep until they have succeeded. */
  readonly keptValues: KeptValueKeys;
  /** Reads and writes secrets by name, recorded as the actor if the audit log is on. Closing it closes everything. */
  readonly secrets: SecretService;
  /** Null where it is off. Closed with `secrets`. */
  readonly audit: AuditLog | null;
  /** The same secrets for another caller, such as one of many of a server. Not recorded where the audit log is off. */
  as(context: AuditContext): SecretService;
  /**
   * The same source for one run: every secret that it resolves is recorded before the run has it. The source itself where the audit
   * log is off.
   */
  recordSource(source: SecretSource, context: AuditContext): SecretSource;
  /** The same secrets without records: what a source is made of whose answers are recorded. */
  readonly unrecorded: SecretService;
  /** Who does what is recorded without another caller; null where the audit log is off. */
  readonly actor: AuditActor | null;
}

/**
 * Opens the secrets of a folder together with their store and keys, as the command line does. The store is created with
 * the first secret. The key is looked for when it is first needed; for a new store a key is created. Close `secrets` at
 * the end.
 *
 * @param options where store and key are, each with its own default
 * @throws AutokestraError `STORE_*`; `OPTION_INVALID` for an unknown driver, an empty path and less than one version;
 * `KEY_UNREADABLE` for a key file inside the folder of the secrets
 *
 * @example
 * ```ts
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { openSecretsManager } from "@autokestra/secrets";
 *
 * const folder = mkdtempSync(join(tmpdir(), "demo-"));
 * const options = { storagePath: join(folder, "secrets"), keyFile: join(folder, "secret.key") };
 * const { secrets, keys } = await openSecretsManager(options);
 *
 * await secrets.set({ name: "DB", type: "basicAuth", fields: { username: "app", password: "pa55word" } });
 * console.log((await secrets.get("DB")).fields["password"]); // prints pa55word
 * console.log((await keys.keyring()).header.dataKeys.length, "data key"); // prints 1 data key
 * await secrets.close();
 * ```
 */
export async function openSecretsManager(options: SecretsOptions = {}): Promise<SecretsManager> {
  const { env = process.env } = options;
  const maxVersions = options.maxVersions ?? readMaxVersions(env) ?? options.defaults?.maxVersions;
  if (maxVersions !== undefined && !(Number.isInteger(maxVersions) && maxVersions > 0)) {
    throw new AutokestraError("OPTION_INVALID", "maxVersions is not a whole number above 0");
  }
  // First, because it removes the key from the environment.
  const provider = createProvider(options);
  const { store, location, driver } = await openStore(options);
  const keyFolder = keyFolderOf(keyOptions(options));
  const memory = openKnownStores(keyFolder).memoryOf(locationText(location));
  const apart = apartFrom(provider, keyFilePath(keyOptions(options)), location);
  const keys = createKeyManager(store, apart, { memory, onNotice: options.onNotice });
  const encryption = createSecretEncryption(keys);
  const plain = createSecretService({
    store,
    encryption,
    now: () => new Date().toISOString(),
    newId: () => crypto.randomUUID(),
    maxVersions,
    isKeyGiven: async () => (await provider.search()).isGiven,
  });
  const keptValues = createKeptValueKeys(keys);
  const opened = { store, location, driver, keyFolder, provider, keys, encryption, keptValues };
  if (!isAuditOn(options)) {
    const off = { audit: null, actor: null, as: () => plain, recordSource: (source: SecretSource) => source };
    return { ...opened, ...off, secrets: plain, unrecorded: plain };
  }
  return { ...opened, ...(await audit(options, { ...opened, secrets: plain })) };
}

type AuditedPart = Pick<SecretsManager, "secrets" | "audit" | "actor" | "as" | "recordSource" | "unrecorded">;

/** The audit log is loaded where it is on. */
async function audit(
  { actor, defaults, onNotice }: SecretsOptions,
  opened: Pick<SecretsManager, "secrets" | "store" | "keys" | "location">,
): Promise<AuditedPart> {
  try {
    const { openAuditedSecrets, thisUser } = await import("./access/audited-secrets.ts");
    const audited = await openAuditedSecrets(opened, defaults?.audit, onNotice);
    const known = actor ?? thisUser();
    return {
      secrets: audited.as({ actor: known }),
      audit: audited.log,
      actor: known,
      as: (context) => audited.as(context),
      recordSource: (source, context) => audited.source(source, context),
      unrecorded: opened.secrets,
    };
  } catch (error) {
    await opened.secrets.close();
    throw error;
  }
}

/** Whether what is read and changed is recorded. @throws AutokestraError `OPTION_INVALID` */
export function isAuditOn({ audit: given, env = process.env, defaults }: SecretsOptions): boolean {
  const { AUTOKESTRA_AUDIT: text = "" } = env;
  if (given !== undefined) return given;
  if (text === "") return defaults?.audit !== undefined && defaults.audit.on !== false;
  if (text === "on" || text === "off") return text === "on";
  throw new AutokestraError("OPTION_INVALID", "AUTOKESTRA_AUDIT is neither on nor off");
}

/** Returns the options that decide where the master key comes from. */
export function keyOptions(options: SecretsOptions): MasterKeyOptions {
  const { env, keyFile, keyFolder, keepInEnvironment, onNotice, defaults } = options;
  return { env, keyFile, defaultKeyFile: defaults?.keyFile, keyFolder, keepInEnvironment, onNotice };
}

/** Where the secrets and the keys are, without opening anything. @throws AutokestraError `OPTION_INVALID` for a URL without a driver */
export function secretPlaces(options: SecretsOptions): Pick<SecretsManager, "location" | "keyFolder"> {
  return { location: storeLocation(options), keyFolder: keyFolderOf(keyOptions(options)) };
}

/** Creates the provider of master keys, which gives a notice when it has created one. */
export function createProvider(options: SecretsOptions): MasterKeyProvider {
  const provider = createMasterKeyProvider(keyOptions(options));
  return {
    ...provider,
    async generate() {
      const key = await provider.generate();
      options.onNotice?.(`the master key was created: ${key.source}. Without it the secrets are lost: keep a copy`);
      return key;
    },
  };
}

/** Returns the provider, which refuses a key file inside the folder of the secrets. */
function apartFrom(provider: MasterKeyProvider, keyFile: string | null, location: Location): MasterKeyProvider {
  return {
    async search() {
      keepApart(keyFile, location);
      return await provider.search();
    },
    async generate() {
      keepApart(keyFile, location);
      return await provider.generate();
    },
  };
}

function readMaxVersions({ WORKFLOW_SECRETS_KEEP_VERSIONS: text = "" }: NodeJS.ProcessEnv): number | undefined {
  if (text === "") return undefined;
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new AutokestraError("OPTION_INVALID", "WORKFLOW_SECRETS_KEEP_VERSIONS is not a whole number from 1 to 9999", {
    hint: "It sets how many versions of each secret are kept (default: 10).",
  });
}

/**
 * Opens the secrets of a folder for reading and writing by name. Use {@link openSecretsManager} if you also need the
 * store or the keys. Close the result at the end.
 *
 * @throws as {@link openSecretsManager}
 *
 * @example
 * ```ts
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { openSecrets } from "@autokestra/secrets";
 *
 * const folder = mkdtempSync(join(tmpdir(), "demo-"));
 * const secrets = await openSecrets({ storagePath: join(folder, "secrets"), keyFile: join(folder, "secret.key") });
 * await secrets.create({ name: "TOKEN", type: "apiKey", fields: { value: "s3cret-t0ken" }, expiresAt: "90d" });
 * await secrets.edit("TOKEN", { description: "deploys the site", addTags: ["ci"] });
 * const [token] = await secrets.list({ tags: ["ci"] });
 * console.log(token?.name, token?.description); // prints TOKEN deploys the site
 * await secrets.close();
 * ```
 */
export async function openSecrets(options: SecretsOptions = {}): Promise<SecretService> {
  return (await openSecretsManager(options)).secrets;
}
