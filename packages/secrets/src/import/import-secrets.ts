import { isDeepStrictEqual } from "node:util";
import type { SecretMetadata, SecretService } from "@autokestra/secrets-core";
import { isBefore, parseMoment } from "@autokestra/secrets-core/internal";
import {
  type CheckedSecret,
  type CheckOptions,
  checkEntries,
  type ImportEntry,
  type ImportFailure,
  type ImportWarning,
  isFailure,
} from "./entries.ts";

export interface ImportSecretsOptions extends Pick<ImportOptions, "onConflict" | "rename"> {
  /** Skip entries with an empty value, with a warning. Default: false, they fail. */
  readonly skipEmpty?: boolean | undefined;
  /** Only report what would be done. */
  readonly dryRun: boolean;
}

/** What an import has done, or would do. */
export interface ImportOutcome extends ImportReport {
  /** The names that were invalid, with their new names. */
  readonly renamed: readonly { readonly from: string; readonly to: string }[];
}

/**
 * Imports all entries of a source in one step, or none if one of them fails. Importing again changes nothing. The
 * problems of entries are in the outcome.
 *
 * @param entries what {@link readDotenv}, {@link readJson} or {@link readFernetDatabase} returns
 * @throws AutokestraError `VERSION_CONFLICT` if another process writes one of the names at the same time; an error of
 * the store or of the key
 *
 * @example
 * ```ts
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { importSecrets, openSecrets, readDotenv } from "@autokestra/secrets";
 *
 * const folder = mkdtempSync(join(tmpdir(), "demo-"));
 * const secrets = await openSecrets({ storagePath: join(folder, "secrets"), keyFile: join(folder, "secret.key") });
 * const entries = readDotenv("TOKEN=s3cret-t0ken\nDB_URL='postgres://app:pa55word@db/app'\n");
 *
 * const options = { onConflict: "fail", rename: false, dryRun: false } as const;
 * console.log((await importSecrets(secrets, entries, options)).imported); // prints 2
 * console.log((await importSecrets(secrets, entries, options)).skipped); // prints 2
 * await secrets.close();
 * ```
 */
export async function importSecrets(
  secrets: SecretService,
  entries: readonly ImportEntry[],
  { onConflict, rename, skipEmpty = false, dryRun }: ImportSecretsOptions,
): Promise<ImportOutcome> {
  const stored = new Map((await secrets.list()).map((metadata) => [String(metadata.name), metadata]));
  const plan = await planImport(entries, stored, {
    onConflict,
    rename,
    skipEmpty,
    isStored: async ({ name, fields }) => isDeepStrictEqual((await secrets.get(name)).fields, fields),
  });
  if (!dryRun && plan.writes.length > 0) {
    // The plan is valid only if no other process has written since: each name must still have the version it had.
    await secrets.setAll(
      plan.writes.map((secret) => ({
        ...secret,
        keepsFieldNames: true,
        ifVersion: stored.get(secret.name)?.version ?? 0,
      })),
    );
  }
  return { ...reportImport(plan), renamed: plan.renamed };
}

/** What to do with a name that already exists with another value. */
export type OnConflict = "fail" | "skip" | "overwrite";

export interface ImportOptions extends CheckOptions {
  readonly onConflict: OnConflict;
  /** Tells whether exactly these fields are stored under the name. Called only if the stored type is the same. */
  readonly isStored: (secret: CheckedSecret) => Promise<boolean>;
}

/** What an import will do. */
export interface ImportPlan {
  /** The number of entries in the source. */
  readonly total: number;
  /** The secrets to write, in the order of the source; none if anything failed. */
  readonly writes: readonly CheckedSecret[];
  /** The names of stored secrets that stay as they are, and of entries without a value. */
  readonly skipped: readonly string[];
  readonly failed: readonly ImportFailure[];
  readonly warnings: readonly ImportWarning[];
  readonly renamed: readonly { readonly from: string; readonly to: string }[];
}

/**
 * Decides what an import writes: everything or nothing. Skips a secret that is stored with the same type and fields, so
 * that importing again changes nothing; description, tags and times are not compared.
 *
 * @param existing the stored secrets that are not deleted, by name
 * @throws what `isStored` throws
 */
export async function planImport(
  entries: readonly ImportEntry[],
  existing: ReadonlyMap<string, Pick<SecretMetadata, "type">>,
  { onConflict, isStored, ...options }: ImportOptions,
): Promise<ImportPlan> {
  const checked = checkEntries(entries, options);
  const failed = [...checked.failed];
  const writes: CheckedSecret[] = [];
  const skipped: string[] = checked.empty.map(({ name }) => name);
  for (const [from, secret] of checked.secrets) {
    const { name, type, line } = secret;
    const current = existing.get(name);
    if (current === undefined) writes.push(secret);
    else if (onConflict === "skip" || (current.type === type && (await isStored(secret)))) skipped.push(name);
    else if (onConflict === "overwrite") writes.push(secret);
    else failed.push({ name: from, line, reason: `Secret '${name}' is stored already, with another value` });
  }
  const renamed = [...checked.secrets].flatMap(([from, { name: to }]) => (from === to ? [] : [{ from, to }]));
  const warnings = [
    ...entries.flatMap(warningsOf),
    ...[...checked.secrets.values()].flatMap(expiryWarnings),
    ...checked.empty.map(({ name, line }) => ({ name, line, message: "it has no value and is skipped" })),
  ];
  return { total: entries.length, writes: failed.length > 0 ? [] : writes, skipped, failed, warnings, renamed };
}

function expiryWarnings({ name, line, type, fields, expiresAt }: CheckedSecret): ImportWarning[] {
  const when = expiresAt ?? (type === "custom" ? null : fields["expiresAt"]);
  const now = new Date().toISOString();
  const moment = typeof when === "string" || typeof when === "number" ? parseMoment(when, () => now) : null;
  if (!isBefore(moment, now)) return [];
  return [{ name, line, message: `it already expired at ${moment}` }];
}

function warningsOf(entry: ImportEntry): ImportWarning[] {
  if (isFailure(entry)) return [];
  const { name, line, warnings = [] } = entry;
  return warnings.map((message) => ({ name, line, message }));
}

/** What an import has done. If anything failed, nothing was imported. Contains no value. */
export interface ImportReport {
  readonly total: number;
  readonly imported: number;
  readonly skipped: number;
  readonly failed: readonly ImportFailure[];
  readonly warnings: readonly ImportWarning[];
}

/** Returns the report of a plan. */
export function reportImport({ total, writes, skipped, failed, warnings }: ImportPlan): ImportReport {
  return { total, imported: writes.length, skipped: skipped.length, failed, warnings };
}
