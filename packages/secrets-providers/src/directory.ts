/**
 * Takes secrets from a folder with one file for each, as Docker and Kubernetes mount them.
 *
 * @module
 */
import { constants } from "node:fs";
import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ExternalSecretProvider, SecretAnswer } from "@autokestra/secrets-core";
import { errorCode, z } from "@autokestra/secrets-core/internal";
import { decodeText, denied, malformed, notFound, quoteLong, unavailable } from "./answers.ts";
import { defineProvider, type ProviderContext, type ProviderDefinition } from "./define-provider.ts";

export interface DirectoryProviderOptions extends Partial<ProviderContext> {
  /** The path of the folder, such as `/run/secrets`. */
  readonly folder: string;
}

/** The maximum size of a file, in bytes. */
const MAX_BYTES = 4 * 1024 * 1024;
/** The maximum number of fields, because a folder with more is not a secret. */
const MAX_FIELDS = 1000;

/**
 * Creates a provider that reads files, such as mounted secrets of Docker and Kubernetes. A file is a value, without one
 * newline at its end; a folder is a secret whose fields are its files.
 *
 * @example
 * ```ts
 * import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { createDirectoryProvider } from "@autokestra/secrets-providers/directory";
 *
 * const folder = mkdtempSync(join(tmpdir(), "demo-"));
 * mkdirSync(join(folder, "db"));
 * writeFileSync(join(folder, "db", "password"), "pa55word\n");
 *
 * const provider = createDirectoryProvider({ folder });
 * const limits = { signal: AbortSignal.timeout(5000), deadline: Date.now() + 5000 };
 * const answer = await provider.lookup({ path: "db", format: "json" }, limits);
 * if (answer.status === "found") console.log(answer.secret.value); // prints { password: 'pa55word' }
 * ```
 */
export function createDirectoryProvider({
  id = "directory",
  folder,
}: DirectoryProviderOptions): ExternalSecretProvider {
  return {
    id,
    type: "directory",
    capabilities: { versions: false, leases: false },
    async lookup({ path, format }) {
      const parts = path.split("/");
      if (parts.some((part) => part === "" || part === "." || part === ".." || part.includes("\0"))) {
        return malformed(`${quoteLong(path)} is not a path inside the folder`);
      }
      return await answerFor(join(folder, ...parts), async (place) => {
        const value = (await isFolder(place)) ? await readFields(place) : await readValue(place, format === "text");
        return { status: "found", secret: { value } };
      });
    },
    async check() {
      return await answerFor(folder, async (place) => {
        await readdir(place);
        return { status: "found", secret: {} };
      });
    },
    close: async () => undefined,
  };

  async function answerFor<Secret>(
    place: string,
    read: (place: string) => Promise<SecretAnswer<Secret>>,
  ): Promise<SecretAnswer<Secret>> {
    try {
      return await read(place);
    } catch (error) {
      const code = errorCode(error);
      const where = quoteLong(place);
      if (error instanceof Unusable) return malformed(`${where} ${error.message}`);
      if (code === "EACCES" || code === "EPERM") return denied(`${where} may not be read (${code})`);
      const isMissing = code === "ENOENT" || code === "ENOTDIR" || code === "ENAMETOOLONG";
      // If the folder is not mounted, it is not known whether it has the secret.
      if (isMissing && (await isFolder(folder))) return notFound(`There is no ${where}.`);
      return unavailable(
        `${where} cannot be read (${code || "unknown error"})`,
        `Check the folder ${quoteLong(folder)}.`,
      );
    }
  }
}

/** A file or folder that exists but cannot be a secret. */
class Unusable extends Error {}

async function isFolder(path: string): Promise<boolean> {
  return await stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}

/** Reads the files of a folder as fields. Names that begin with a dot belong to Kubernetes. */
async function readFields(folder: string): Promise<Readonly<Record<string, string>>> {
  const names = (await readdir(folder)).filter((name) => !name.startsWith("."));
  if (names.length > MAX_FIELDS) throw new Unusable(`holds more than ${MAX_FIELDS} files`);
  const entries = names.map(async (name) => [name, await readValue(join(folder, name), false)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

async function readValue(path: string, isExact: boolean): Promise<string> {
  // O_NONBLOCK, because opening a pipe would otherwise wait for a writer.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const text = decodeText(await readAll(file));
    if (text === null) throw new Unusable("is not UTF-8 text");
    return isExact ? text : text.replace(/\r?\n$/, "");
  } finally {
    await file.close();
  }
}

async function readAll(file: FileHandle): Promise<Buffer> {
  if (!(await file.stat()).isFile()) throw new Unusable("is not a file");
  const buffer = Buffer.alloc(Math.min((await file.stat()).size, MAX_BYTES) + 1);
  let length = 0;
  for (let read = -1; read !== 0; length += read) {
    read = (await file.read(buffer, length, buffer.length - length)).bytesRead;
  }
  if (length > MAX_BYTES) throw new Unusable("is larger than 4 MiB");
  return buffer.subarray(0, length);
}

/** The type `directory` of a configuration. */
export const directoryProvider: ProviderDefinition = defineProvider({
  type: "directory",
  options: z.strictObject({ folder: z.string() }),
  create: (options, context) => createDirectoryProvider({ ...options, ...context }),
});
