import { realpath } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import {
  AutokestraError,
  createSecretService,
  KEPT_VERSIONS,
  type SecretEncryption,
  type SecretService,
  type SecretStore,
} from "@autokestra/secrets-core";
import {
  createMasterKeyProvider,
  createSecretEncryption,
  createStoreKeys,
  keyFilePath,
  type StoreKeys,
} from "@autokestra/secrets-crypto";
import { openStore, type StoreOptions } from "./open-store.ts";
import type { Backend } from "./store-backend.ts";

export interface SecretsOptions extends StoreOptions {
  /** Default: `AUTOKESTRA_SECRET_KEY_FILE`, else `~/.autokestra/secret.key`. */
  readonly keyFile?: string | undefined;
  /** How many versions of a secret are kept. Default: `WORKFLOW_SECRETS_KEEP_VERSIONS`, else 10. */
  readonly keepVersions?: number | undefined;
}

/** The secrets of one installation with everything under them: what rotating, importing and examining need. */
export interface Installation {
  readonly store: SecretStore;
  /** The folder of the store. */
  readonly folder: string;
  /** The kind of the store; null where there is none yet. */
  readonly backend: Backend | null;
  /** Where the key file is, or would be made. */
  readonly keyFile: string;
  readonly keys: StoreKeys;
  readonly encryption: SecretEncryption;
  readonly secrets: SecretService;
}

/**
 * Opens an installation: picks the store and the key. The key is looked for when it is first needed, and made then if there are
 * no secrets yet. Close its `secrets`, which closes all.
 *
 * @throws AutokestraError `STORE_*`, `USAGE` for a backend that there is not; `KEY_UNREADABLE` for a key file that lies in the
 * secrets folder
 */
export async function openInstallation(options: SecretsOptions = {}): Promise<Installation> {
  const { env = process.env } = options;
  const keyOptions = { env, keyFile: options.keyFile };
  const keyFile = keyFilePath(keyOptions);
  const keepVersions = options.keepVersions ?? keptVersions(env);
  const { store, folder, backend } = await openStore(options);
  const provider = createMasterKeyProvider(keyOptions);
  const keys = createStoreKeys(store, {
    ...provider,
    async load() {
      await keepApart(keyFile, folder);
      return await provider.load();
    },
    async generate() {
      const key = await provider.generate();
      options.onNotice?.(`the master key was made: ${keyFile}. Without it the secrets are lost: keep a copy`);
      return key;
    },
  });
  const encryption = createSecretEncryption(keys);
  const secrets = createSecretService({
    store,
    encryption,
    now: () => new Date().toISOString(),
    newId: () => crypto.randomUUID(),
    keepVersions,
  });
  return { store, folder, backend, keyFile, keys, encryption, secrets };
}

/** How many versions of a secret are kept. */
function keptVersions({ WORKFLOW_SECRETS_KEEP_VERSIONS: text = "" }: NodeJS.ProcessEnv): number {
  if (text === "") return KEPT_VERSIONS;
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new AutokestraError("USAGE", "WORKFLOW_SECRETS_KEEP_VERSIONS is not a whole number from 1 to 9999", {
    hint: "It says how many versions of each secret are kept; without it 10.",
  });
}

/** A copy of the secrets folder must not be a copy of its key. */
export async function keepApart(keyFile: string, folder: string): Promise<void> {
  const secrets = await realOrSame(folder);
  const key = resolve(await realOrSame(dirname(keyFile)), "key");
  if (!key.startsWith(secrets + sep)) return;
  throw new AutokestraError("KEY_UNREADABLE", `The key file ${keyFile} lies inside the secrets folder ${folder}`, {
    hint: "Whoever copies that folder has both. Move the key elsewhere and name it with --key-file.",
  });
}

async function realOrSame(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    // Not made yet: the folder around it may be a link.
    const parent = dirname(resolve(path));
    return parent === resolve(path) ? parent : join(await realOrSame(parent), basename(path));
  }
}
