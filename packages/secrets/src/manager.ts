import { realpathSync } from "node:fs";
import { basename, dirname, join, resolve, sep } from "node:path";
import {
  AutokestraError,
  createSecretService,
  type MasterKeyProvider,
  type SecretEncryption,
  type SecretService,
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
  readonly secrets: SecretService;
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
  const secrets = createSecretService({
    store,
    encryption,
    now: () => new Date().toISOString(),
    newId: () => crypto.randomUUID(),
    maxVersions,
    isKeyGiven: async () => (await provider.search()).isGiven,
  });
  return { store, location, driver, keyFolder, provider, keys, encryption, secrets };
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
