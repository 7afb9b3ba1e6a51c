import { homedir } from "node:os";
import { join } from "node:path";
import { AutokestraError, type MasterKey, type MasterKeyProvider } from "@autokestra/secrets-core";
import { createKeyFile, readKeyFile } from "./key-file.ts";
import { parseKeyText } from "./key-text.ts";
import { findPendingKeys } from "./pending-key.ts";

/** The variable that may hold the master key. */
export const KEY_VARIABLE = "AUTOKESTRA_SECRET_KEY";

/** The variable that may name the key file. */
export const KEY_FILE_VARIABLE = "AUTOKESTRA_SECRET_KEY_FILE";

export interface MasterKeyOptions {
  /** The environment to look in. The key is removed from it once read: default `process.env`. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** Default: `AUTOKESTRA_SECRET_KEY_FILE`, else `~/.autokestra/secret.key`. */
  readonly keyFile?: string | undefined;
}

/** Where the key file is, or would be made. */
export function keyFilePath({ env = process.env, keyFile }: MasterKeyOptions = {}): string {
  return (keyFile ?? env[KEY_FILE_VARIABLE]) || join(env["HOME"] || homedir(), ".autokestra", "secret.key");
}

/** Environment -> key file -> generate (see {@link MasterKeyProvider}). */
export function createMasterKeyProvider(options: MasterKeyOptions = {}): MasterKeyProvider {
  const { env = process.env } = options;
  const path = keyFilePath(options);

  const provider: MasterKeyProvider = {
    async load() {
      const text = env[KEY_VARIABLE];
      // A key that stays in the environment is inherited by every child process and printed by every crash report.
      delete env[KEY_VARIABLE];
      if (text === undefined) return await fromFile(path);
      const key = parseKeyText(text, KEY_VARIABLE);
      return { ...key, source: KEY_VARIABLE, otherSource: (await exists(path)) ? path : null };
    },

    async generate() {
      await createKeyFile(path);
      const key = await fromFile(path);
      if (key === null)
        throw new AutokestraError("KEY_UNREADABLE", `The key file ${path} is gone right after it was made`);
      return key;
    },

    pending: async () => await findPendingKeys(path),
  };
  return provider;
}

async function fromFile(path: string): Promise<MasterKey | null> {
  const key = await readKeyFile(path);
  return key === null ? null : { ...key, source: path, otherSource: null };
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await readKeyFile(path)) !== null;
  } catch {
    return true;
  }
}
