import { readdirSync } from "node:fs";
import { join } from "node:path";
import { AutokestraError, type ErrorCode } from "@autokestra/secrets-core";
import { plural, quotePath } from "@autokestra/secrets-core/internal";
import { KEY_VARIABLE, type Keyring } from "@autokestra/secrets-crypto";
import { openKnownStores } from "@autokestra/secrets-crypto/internal";
import type { SqliteStore } from "@autokestra/secrets-store-sqlite";
import { readDriverRecord } from "./driver-record.ts";
import { folderDrivers } from "./drivers.ts";
import { readKeyDates } from "./key-dates.ts";
import { knownLocation, type Location, locationText } from "./location.ts";
import type { SecretsManager } from "./manager.ts";
import { countSecrets, type OnVerified, type VerifiedRecords, verifyRecords } from "./records.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

const RESTORE = "Set it again, or go back to a backup.";

/** One line of a diagnosis. */
export interface Finding {
  readonly status: "ok" | "warning" | "failure";
  readonly subject: "store" | "key" | "header" | "records" | "audit" | "runs" | "provider";
  /** The error code of a failure; null for all others. */
  readonly code: ErrorCode | null;
  readonly message: string;
  /** What to do about it; null if nothing. */
  readonly hint: string | null;
}

/**
 * Diagnoses secrets: checks the store, the key and the header, and decrypts every version of every secret. A problem
 * becomes a finding and does not stop the diagnosis.
 *
 * @param onProgress called with the number of secrets that were verified, and their total
 *
 * @example
 * ```ts
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { diagnose, openSecretsManager } from "@autokestra/secrets";
 *
 * const folder = mkdtempSync(join(tmpdir(), "demo-"));
 * const options = { storagePath: join(folder, "secrets"), keyFile: join(folder, "secret.key") };
 * const manager = await openSecretsManager(options);
 * await manager.secrets.set({ name: "TOKEN", type: "apiKey", fields: { value: "s3cret-t0ken" } });
 * const findings = await diagnose(manager);
 * console.log(findings.at(-1)?.message); // prints 1 secret, 1 version: all decrypt
 * await manager.secrets.close();
 * ```
 */
export async function diagnose(manager: SecretsManager, onProgress?: OnVerified): Promise<readonly Finding[]> {
  const { store, keys, encryption } = manager;
  const state = await attempt("store", async () => ({
    secrets: await countSecrets(store),
    header: await store.readHeader(),
    settings: await describeSettings(manager),
  }));
  if ("status" in state) return [state];
  const { secrets, header, settings } = state.value;
  const findings = [
    describeStore(manager, secrets),
    ...describeLeftOvers(manager),
    ...describeConflicts(manager),
    ...settings,
  ];
  if (header === null && secrets === 0) {
    return [...findings, ok("key", "none needed yet: it is made with the first secret")];
  }
  const keyring = await attempt("key", async () => await keys.keyring());
  if ("status" in keyring) return [...findings, keyring];
  const verified = await attempt("records", async () => await verifyRecords({ store, encryption, keys }, onProgress));
  const records = "status" in verified ? [verified] : describeRecords(verified.value);
  const copies = await describeKnownStores(manager, keyring.value);
  return [...findings, ...describeKeys(keyring.value), ...(await describeAges(manager)), ...copies, ...records];
}

async function attempt<T>(subject: Finding["subject"], work: () => Promise<T>): Promise<{ value: T } | Finding> {
  try {
    return { value: await work() };
  } catch (error) {
    if (!(error instanceof AutokestraError)) throw error;
    return failure(subject, error.code, error.message, error.hint);
  }
}

function describeKeys({ header, source, fingerprint }: Keyring): Finding[] {
  const { kdf, dataKeys, storeId, format, epoch } = header;
  const stretched = kdf.name === "pbkdf2-hmac-sha256" ? `${kdf.name}, ${kdf.iterations} iterations` : kdf.name;
  const states = dataKeys.map(({ id, state, seals }) => `${id} ${state}, ${seals} encryptions`).join("; ");
  const variable: Finding = {
    status: "warning",
    subject: "key",
    code: null,
    message: `The key is in the environment: ${KEY_VARIABLE} can be read in /proc by this user and root`,
    hint: "A key file is the better place.",
  };
  return [
    ok("key", `${fingerprint} from ${source}, ${stretched}`),
    ...(source === KEY_VARIABLE ? [variable] : []),
    ok("header", `format ${format}, store ${storeId}, epoch ${epoch}; data keys: ${states}`),
  ];
}

async function describeAges(manager: SecretsManager): Promise<Finding[]> {
  const dates = await readKeyDates(manager);
  if (dates === null) return [];
  const age = (date: string) => plural(Math.max(0, Math.floor((Date.now() - Date.parse(date)) / DAY_MS)), "day");
  return [
    ok("header", `The master key has been in use for ${age(dates.masterKey)}, the data key for ${age(dates.dataKey)}`),
  ];
}

function describeRecords({ secrets, versions, problems }: VerifiedRecords): Finding[] {
  if (problems.length === 0)
    return [ok("records", `${plural(secrets, "secret")}, ${plural(versions, "version")}: all decrypt`)];
  return problems.map((message) => failure("records", "INTEGRITY_FAILED", message, RESTORE));
}

function describeStore({ driver, location }: SecretsManager, secrets: number): Finding {
  const place = locationText(location);
  return ok("store", driver === null ? `none yet in ${place}` : `${driver} in ${place}, ${plural(secrets, "secret")}`);
}

/** Describes the settings by which SQLite keeps what it has acknowledged, and erases what was deleted. */
async function describeSettings({ store, driver, location }: SecretsManager): Promise<Finding[]> {
  if (driver !== "sqlite") return describeFallback(location);
  const { OLDEST_SAFE_VERSION, isSafeVersion } = await import("@autokestra/sqlite");
  const facts = await (store as SqliteStore).facts();
  const { library, version, journalMode, synchronous, secureDelete, isSound } = facts;
  const pragmas = `journal_mode ${journalMode}, synchronous ${synchronous}, secure_delete ${secureDelete ? "on" : "off"}`;
  const unsafe = `SQLite before ${OLDEST_SAFE_VERSION} can damage a database that two processes write to`;
  return [
    ok("store", `SQLite ${version} (${library}), ${pragmas}`),
    ...(isSafeVersion(version) ? [] : [warning(unsafe, "Install a newer better-sqlite3.")]),
    ...(journalMode === "memory"
      ? [warning("The store can only be read here", "Is the folder or the disk read-only?")]
      : []),
    ...(isSound ? [] : [failure("store", "STORE_CORRUPT", "The database is damaged", RESTORE)]),
  ];
}

/** Warns of a file store that was only made because SQLite could not be used. */
function describeFallback(location: Location): Finding[] {
  if (location.kind !== "folder" || readDriverRecord(location.path)?.isFallback !== true) return [];
  const message = "SQLite could not be used when this store was created: the file store is used instead";
  const hint =
    "Install better-sqlite3, use Node.js 24.16 or later, or use a file system that has locks, then migrate to SQLite.";
  return [warning(message, hint)];
}

/** Names that programs which synchronise folders give to the second of two changed copies. */
const CONFLICT_FILE = /^secrets.*(conflict|\(\d+\)| \d+\.(db|json)$)/i;

/** Warns of conflict copies in a synchronised folder. */
function describeConflicts({ location }: SecretsManager): Finding[] {
  if (location.kind !== "folder") return [];
  const folder = location.path;
  return namesIn(folder)
    .filter((name) => CONFLICT_FILE.test(name))
    .map((name) => {
      const message = `${quotePath(join(folder, name))} looks like a conflict copy of a synchronised folder`;
      return warning(message, "Two machines have written to this store. Compare the copies, then move one away.");
    });
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Warns of other stores with the same id, and of damage to the list of known stores. */
async function describeKnownStores({ location, keyFolder }: SecretsManager, { header }: Keyring): Promise<Finding[]> {
  const known = openKnownStores(keyFolder);
  const own = knownLocation(location);
  const copies = known.list().filter(({ path, storeId }) => storeId === header.storeId && path !== own);
  const problem = known.problem();
  return [
    ...copies.map(({ path }) =>
      warning(
        `${quotePath(path)} is a copy of this store, with the same id and keys`,
        "A change of one is not in the other. Rotate the keys of both with a new data key, or remove one.",
      ),
    ),
    ...(problem === null ? [] : [warning(problem, "It is created again with the next write. No key depends on it.")]),
  ];
}

/** Warns of an old store that is still there because a migration was killed after the new one had replaced it. */
function describeLeftOvers({ driver: current, location }: SecretsManager): Finding[] {
  if (location.kind !== "folder" || current === null) return [];
  const folder = location.path;
  const left = folderDrivers().filter((driver) => driver.name !== current && driver.exists(folder));
  return left.map(({ file }) => {
    const message = `${join(folder, file)} is not in use: it was left by a migration`;
    return warning(message, "Move it away once the secrets were checked.");
  });
}

function warning(message: string, hint: string): Finding {
  return { status: "warning", subject: "store", code: null, message, hint };
}

function failure(subject: Finding["subject"], code: ErrorCode, message: string, hint: string | undefined): Finding {
  return { status: "failure", subject, code, message, hint: hint ?? null };
}

function ok(subject: Finding["subject"], message: string): Finding {
  return { status: "ok", subject, code: null, message, hint: null };
}
