import { realpathSync } from "node:fs";
import { basename, dirname, join, resolve, sep } from "node:path";
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
  createKeyManager,
  createMasterKeyProvider,
  createSecretEncryption,
  type KeyManager,
  type MasterKeyOptions,
} from "@autokestra/secrets-crypto";
import { keyFilePath, keyFolderOf, openKnownStores } from "@autokestra/secrets-crypto/internal";
import type { AuditActor, AuditLog } from "./access/audit-event.ts";
import type { AuditContext } from "./access/audited-service.ts";
import { type Location, locationText } from "./location.ts";
import { openStore, type StoreOptions } from "./open-store.ts";

export interface SecretsOptions extends StoreOptions {
  /** The key file that the person names: tried alone. Default: what the environment names, else that of `defaults`, else the key folder. */
  readonly keyFile?: string | undefined;
  /** Where keys are kept and looked for. Default: `.autokestra` in the home folder; null: nowhere. */
  readonly keyFolder?: string | null | undefined;
  /** Leave the master key in the environment. Default false: it is taken out of it. */
  readonly keepInEnvironment?: boolean | undefined;
  /** How many versions of a secret are kept. Default: `WORKFLOW_SECRETS_KEEP_VERSIONS`, else that of `defaults`, else 10. */
  readonly maxVersions?: number | undefined;
  /** Record what is read and changed. Default: `AUTOKESTRA_AUDIT` (`on`, `off`), else what `defaults` says, else false. */
  readonly audit?: boolean | undefined;
  /** Who does what is recorded. Default: the user that this process runs as. */
  readonly actor?: AuditActor | undefined;
}

/** The secrets of one place with everything under them: what rotating, importing and examining need. */
export interface SecretsManager {
  readonly store: SecretStore;
  /** Where the store is. */
  readonly location: Location;
  /** The name of the driver of the store; null where there is none yet. */
  readonly driver: string | null;
  /** Where keys are kept and looked for; null where there is no such folder. */
  readonly keyFolder: string | null;
  readonly provider: MasterKeyProvider;
  readonly keys: KeyManager;
  readonly encryption: SecretEncryption;
  /** Where the audit log is on, what it does is recorded as that of the actor. */
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
 * Opens the secrets of a place: picks the store and the key. The key is looked for when it is first needed, and made then if there
 * are no secrets yet. Close its `secrets`, which closes all.
 *
 * @throws AutokestraError `STORE_*`, `OPTION_INVALID` for a driver that there is not; `KEY_UNREADABLE` for a key file that lies in the
 * secrets folder
 */
export async function openSecretsManager(options: SecretsOptions = {}): Promise<SecretsManager> {
  const { env = process.env } = options;
  const maxVersions = options.maxVersions ?? readMaxVersions(env) ?? options.defaults?.maxVersions;
  // Before anything else: the key leaves the environment.
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
  const opened = { store, location, driver, keyFolder, provider, keys, encryption };
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

/** What decides where the master key comes from. */
export function keyOptions(options: SecretsOptions): MasterKeyOptions {
  const { env, keyFile, keyFolder, keepInEnvironment, onNotice, defaults } = options;
  return { env, keyFile, defaultKeyFile: defaults?.keyFile, keyFolder, keepInEnvironment, onNotice };
}

/** The source of master keys, which tells when it has made one. */
export function createProvider(options: SecretsOptions): MasterKeyProvider {
  const provider = createMasterKeyProvider(keyOptions(options));
  return {
    ...provider,
    async generate() {
      const key = await provider.generate();
      options.onNotice?.(`the master key was made: ${key.source}. Without it the secrets are lost: keep a copy`);
      return key;
    },
  };
}

/** The same source of keys, but without a key file inside the secrets folder. */
function apartFrom(provider: MasterKeyProvider, keyFile: string | null, location: Location): MasterKeyProvider {
  async function check(): Promise<void> {
    if (keyFile !== null) keepApart(keyFile, location);
  }
  return {
    async search() {
      await check();
      return await provider.search();
    },
    async generate() {
      await check();
      return await provider.generate();
    },
  };
}

/** How many versions of a secret are kept. */
function readMaxVersions({ WORKFLOW_SECRETS_KEEP_VERSIONS: text = "" }: NodeJS.ProcessEnv): number | undefined {
  if (text === "") return undefined;
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new AutokestraError("OPTION_INVALID", "WORKFLOW_SECRETS_KEEP_VERSIONS is not a whole number from 1 to 9999", {
    hint: "It says how many versions of each secret are kept; without it 10.",
  });
}

/** A copy of the secrets folder must not be a copy of its key. @throws AutokestraError `KEY_UNREADABLE` */
export function keepApart(keyFile: string, location: Location): void {
  if (location.kind !== "folder") return;
  const folder = location.path;
  const secrets = realOrSame(folder);
  const key = resolve(realOrSame(dirname(keyFile)), "key");
  if (!key.startsWith(secrets + sep)) return;
  throw new AutokestraError("KEY_UNREADABLE", `The key file ${keyFile} lies inside the secrets folder ${folder}`, {
    hint: "Whoever copies that folder has both. Move the key elsewhere and name it there.",
  });
}

/** The path without links, as far as it exists. */
export function realOrSame(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // Not made yet: the folder around it may be a link.
    const parent = dirname(resolve(path));
    return parent === resolve(path) ? parent : join(realOrSame(parent), basename(path));
  }
}

/**
 * Opens the secrets of an installation. Close what you get.
 *
 * @throws as {@link openSecretsManager}
 */
export async function openSecrets(options: SecretsOptions = {}): Promise<SecretService> {
  return (await openSecretsManager(options)).secrets;
}
