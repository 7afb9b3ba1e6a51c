import { AutokestraError, type SecretStoreFile } from "@autokestra/secrets-core";

/** A kind of store that an installation can have. */
export type Backend = "sqlite" | "file";

/** The file of each, in the folder of the installation. */
export const STORE_FILES: Readonly<Record<Backend, string>> = { sqlite: "secrets.db", file: "secrets.json" };

/** @throws AutokestraError `USAGE` */
export function parseBackend(text: string): Backend {
  if (text === "sqlite" || text === "file") return text;
  throw new AutokestraError("USAGE", "There is no such storage backend", { hint: "Use auto, sqlite or file." });
}

/** The one that is not this one. */
export function otherBackend(backend: Backend): Backend {
  return backend === "sqlite" ? "file" : "sqlite";
}

/**
 * Opens a store.
 *
 * @param create make it where there is none
 * @throws AutokestraError `STORE_*`
 */
export async function openStoreFile(backend: Backend, path: string, create: boolean): Promise<SecretStoreFile> {
  if (backend === "sqlite") {
    const { openSqliteStore } = await import("@autokestra/secrets-store-sqlite");
    return await openSqliteStore(path, { create });
  }
  const { openFileStore } = await import("@autokestra/secrets-store-file");
  return await openFileStore(path, { create });
}
