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
  /** Leave out what has an empty value, with a warning. Default: it fails. */
  readonly skipEmpty?: boolean | undefined;
  /** Only say what would be done. */
  readonly dryRun: boolean;
}

/** What an import did, or would do. */
export interface ImportOutcome extends ImportReport {
  /** Names that our rules refuse, and what they became. */
  readonly renamed: readonly { readonly from: string; readonly to: string }[];
}

/**
 * Writes what a source has: all of it in one step, or nothing where anything failed. Importing twice changes nothing.
 *
 * @throws AutokestraError `VERSION_CONFLICT` where somebody else writes one of the names at the same time, or an error of the
 * store or the key; what is wrong with an entry is in the outcome
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
    // The plan holds as long as nobody else writes: each name must have the version that it had then, or none.
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

/** What to do with a name that is stored already with another value. */
export type OnConflict = "fail" | "skip" | "overwrite";

export interface ImportOptions extends CheckOptions {
  readonly onConflict: OnConflict;
  /** Tells whether exactly these fields are stored under this name. Asked only where the stored type is the same. */
  readonly isStored: (secret: CheckedSecret) => Promise<boolean>;
}

/** What an import will do. */
export interface ImportPlan {
  /** How many entries the source has. */
  readonly total: number;
  /** What to write, in the order of the source; nothing where anything failed. */
  readonly writes: readonly CheckedSecret[];
  /** The names, in the store, of what stays as it is, and those in the source of what is left out because it is empty. */
  readonly skipped: readonly string[];
  readonly failed: readonly ImportFailure[];
  readonly warnings: readonly ImportWarning[];
  readonly renamed: readonly { readonly from: string; readonly to: string }[];
}

/**
 * Decides what an import writes: all of it, or nothing. What is stored already with equal type and fields is skipped whatever
 * `onConflict` says, so that importing twice changes nothing; its description, tags and times are not compared.
 *
 * @param existing what is stored and not deleted, by name
 * @throws whatever `isStored` throws
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
    ...checked.empty.map(({ name, line }) => ({ name, line, message: "it has no value and is left out" })),
  ];
  return { total: entries.length, writes: failed.length > 0 ? [] : writes, skipped, failed, warnings, renamed };
}

function expiryWarnings({ name, line, type, fields, expiresAt }: CheckedSecret): ImportWarning[] {
  const when = expiresAt ?? (type === "custom" ? null : fields["expiresAt"]);
  const now = new Date().toISOString();
  const moment = typeof when === "string" || typeof when === "number" ? parseMoment(when, () => now) : null;
  if (!isBefore(moment, now)) return [];
  return [{ name, line, message: `it has expired already, at ${moment}` }];
}

function warningsOf(entry: ImportEntry): ImportWarning[] {
  if (isFailure(entry)) return [];
  const { name, line, warnings = [] } = entry;
  return warnings.map((message) => ({ name, line, message }));
}

/** What an import has done, in figures; never a value. Where anything failed, nothing was imported. */
export interface ImportReport {
  readonly total: number;
  readonly imported: number;
  readonly skipped: number;
  readonly failed: readonly ImportFailure[];
  readonly warnings: readonly ImportWarning[];
}

/** The report of a plan that was carried out, or would be. */
export function reportImport({ total, writes, skipped, failed, warnings }: ImportPlan): ImportReport {
  return { total, imported: writes.length, skipped: skipped.length, failed, warnings };
}
