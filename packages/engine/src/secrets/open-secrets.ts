import { realpath } from "node:fs/promises";
import { dirname, resolve, sep } from "node:path";
import { AutokestraError, createSecretService, type SecretService } from "@autokestra/secrets-core";
import { createMasterKeyProvider, createSecretEncryption, keyFilePath, openKeyring } from "@autokestra/secrets-crypto";
import { openStore, type StoreOptions } from "./open-store.ts";

export interface SecretsOptions extends StoreOptions {
  /** Default: `AUTOKESTRA_SECRET_KEY_FILE`, else `~/.autokestra/secret.key`. */
  readonly keyFile?: string | undefined;
}

/**
 * Opens the secrets of an installation: picks the store and the key. The key is looked for when a value is first sealed or
 * opened, and made then if there are no secrets yet. Close what you get.
 *
 * @throws AutokestraError `STORE_*`, `USAGE` for a backend that there is not; `KEY_UNREADABLE` for a key file that lies in the
 * secrets folder
 */
export async function openSecrets(options: SecretsOptions = {}): Promise<SecretService> {
  const { env = process.env } = options;
  const { store, folder } = await openStore(options);
  const keyOptions = { env, keyFile: options.keyFile };
  const encryption = createSecretEncryption(async () => {
    await keepApart(keyFilePath(keyOptions), folder);
    return await openKeyring(store, createMasterKeyProvider(keyOptions));
  });
  return createSecretService({
    store,
    encryption,
    now: () => new Date().toISOString(),
    newId: () => crypto.randomUUID(),
  });
}

/** A copy of the secrets folder must not be a copy of its key. */
async function keepApart(keyFile: string, folder: string): Promise<void> {
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
    return resolve(path);
  }
}
