import { isBefore, parseMoment, type SecretMetadata } from "@autokestra/secrets-core";
import { type CheckedSecret, type CheckOptions, checkEntries } from "./check-entries.ts";
import { type ImportEntry, type ImportFailure, type ImportWarning, isFailure } from "./import-entry.ts";

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
