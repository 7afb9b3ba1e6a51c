import { lstat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { AutokestraError, createMemoryStore, errorCode, type SecretStore } from "@autokestra/secrets-core";

export type Backend = "auto" | "sqlite" | "file";

export interface StoreOptions {
  /** Where `WORKFLOW_SECRETS_STORAGE_*` and the key are looked for. Default `process.env`. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** The folder. Default: `WORKFLOW_SECRETS_STORAGE_PATH`, else `.workflow/secrets` in the working directory. */
  readonly storagePath?: string | undefined;
  /** Default: `WORKFLOW_SECRETS_STORAGE_BACKEND`, else `auto`: SQLite, or the file store where SQLite cannot be loaded. */
  readonly backend?: string | undefined;
  /** Make a store where there is none. Default true; without it, an absent store reads as empty and nothing is created. */
  readonly create?: boolean | undefined;
  /** Told what people should know: that a master key was made, that the file store stands in for SQLite. */
  readonly onNotice?: ((text: string) => void) | undefined;
}

export interface OpenedStore {
  readonly store: SecretStore;
  /** The folder it is in. */
  readonly folder: string;
}

/**
 * Opens the store of an installation. A store that is there and cannot be opened is an error: never an empty store, and never
 * a second one beside it.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE`, `STORE_CORRUPT`, `STORE_TOO_NEW`, `USAGE`
 */
export async function openStore(options: StoreOptions = {}): Promise<OpenedStore> {
  const { env = process.env, create = true, onNotice } = options;
  const folder = resolve(options.storagePath ?? (env["WORKFLOW_SECRETS_STORAGE_PATH"] || join(".workflow", "secrets")));
  const backend = parseBackend(options.backend ?? (env["WORKFLOW_SECRETS_STORAGE_BACKEND"] || "auto"));
  const database = join(folder, "secrets.db");
  const file = join(folder, "secrets.json");
  // A WAL without its database is what is left of one.
  const sqlite = (await exists(database)) || (await exists(`${database}-wal`));
  const there = { sqlite, file: await exists(file) };
  const existing = chooseExisting(there, folder, backend);
  const chosen = backend === "auto" ? existing : backend;
  if (!create && !(chosen === null ? there.sqlite || there.file : there[chosen])) {
    return { store: createMemoryStore(), folder };
  }
  if (chosen === "file") return { store: await openFile(file), folder };
  try {
    return { store: await openSqlite(database), folder };
  } catch (error) {
    if (chosen === "sqlite" || !(await isSqliteMissing(error))) throw error;
    onNotice?.(`SQLite cannot be loaded here: secrets are kept in ${file}`);
    return { store: await openFile(file), folder };
  }
}

function parseBackend(text: string): Backend {
  if (text === "auto" || text === "sqlite" || text === "file") return text;
  throw new AutokestraError("USAGE", `There is no storage backend '${text}'`, { hint: "Use auto, sqlite or file." });
}

type There = Readonly<Record<"sqlite" | "file", boolean>>;

/** The backend of the store that is there, or null where there is none yet. */
function chooseExisting(there: There, folder: string, backend: Backend): "sqlite" | "file" | null {
  if (there.sqlite && there.file && backend === "auto") {
    throw new AutokestraError(
      "STORE_UNAVAILABLE",
      `There are two secret stores in ${folder}: secrets.db and secrets.json`,
      {
        hint: "Say which one with --storage-backend sqlite or file, or move the other one away.",
      },
    );
  }
  const existing = there.sqlite ? "sqlite" : there.file ? "file" : null;
  if (existing !== null && backend !== "auto" && !there[backend]) {
    throw new AutokestraError(
      "STORE_UNAVAILABLE",
      `The secrets in ${folder} are in a ${existing} store, not in a ${backend} store`,
      {
        hint: "Leave --storage-backend out, or give another --storage-path for a second store.",
      },
    );
  }
  return existing;
}

async function openSqlite(path: string): Promise<SecretStore> {
  const { openSqliteStore } = await import("@autokestra/secrets-store-sqlite");
  return await openSqliteStore(path);
}

async function isSqliteMissing(error: unknown): Promise<boolean> {
  const sqlite = await import("@autokestra/secrets-store-sqlite");
  return sqlite.isSqliteMissing(error);
}

async function openFile(path: string): Promise<SecretStore> {
  const { openFileStore } = await import("@autokestra/secrets-store-file");
  return await openFileStore(path);
}

/**
 * Whether something has this name, be it a link that leads nowhere.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE` where that cannot be seen: it must not count as "nothing there"
 */
async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    const code = errorCode(error) || "unknown error";
    if (code === "ENOENT") return false;
    throw new AutokestraError("STORE_UNAVAILABLE", `The secret store ${path} cannot be looked at (${code})`);
  }
}
