import {
  AutokestraError,
  type ErrorCode,
  parseFields,
  parseSecretName,
  type SecretFields,
  type SecretInput,
  type Timestamp,
} from "@autokestra/secrets-core";
import { isIdentifier } from "@autokestra/secrets-core/internal";

/** A secret of another program, not yet checked. What the source does not say is undefined, or null for a time. */
export interface ImportedSecret extends SecretInput {
  readonly createdAt: Timestamp | null;
  readonly updatedAt: Timestamp | null;
  /** The number of the record in the source. */
  readonly importedId?: number | undefined;
  /** The line of the file on which it begins, from 1. */
  readonly line?: number | undefined;
  /** What a person should check, because other programs read the source differently. Contains no value. */
  readonly warnings?: readonly string[] | undefined;
}

/** An entry that cannot be imported. The reason contains no value. */
export interface ImportFailure {
  /**
   * The name in the source, which must be quoted before it is shown; `entry 3` or `line 7` for an entry without a name.
   */
  readonly name: string;
  readonly reason: string;
  /** The line of the file, from 1. */
  readonly line?: number | undefined;
  /** The code, if the reason is an AutokestraError. */
  readonly code?: ErrorCode | undefined;
}

/** What a person should check about an entry that is imported or skipped. Contains no value. */
export interface ImportWarning {
  /** The name in the source, which must be quoted before it is shown. */
  readonly name: string;
  /** The line of the file, from 1. */
  readonly line?: number | undefined;
  readonly message: string;
}

/** One entry of a source, or why it cannot be imported. */
export type ImportEntry = ImportedSecret | ImportFailure;

export function isFailure(entry: ImportEntry): entry is ImportFailure {
  return "reason" in entry;
}

/** Returns a secret of a source that has only names and values. */
export function importedApiKey(
  name: string,
  value: string,
  place: Pick<ImportedSecret, "line" | "warnings"> = {},
): ImportedSecret {
  return { name, type: "apiKey", fields: { value }, createdAt: null, updatedAt: null, ...place };
}

/** An imported secret whose name and fields are valid. */
export interface CheckedSecret extends ImportedSecret {
  readonly fields: SecretFields;
}

interface CheckedEntries {
  /** By the name in the source. */
  readonly secrets: ReadonlyMap<string, CheckedSecret>;
  readonly failed: readonly ImportFailure[];
  /** Entries without a value, which are skipped. */
  readonly empty: readonly ImportedSecret[];
}

export interface CheckOptions {
  /** Use the proposed name for an invalid one. If false, the entry fails and its reason has the proposal. */
  readonly rename: boolean;
  /** Skip entries with an empty value. If false, they fail. */
  readonly skipEmpty: boolean;
}

/** Checks names and values as `SecretService.set` does, but accepts any field names of custom secrets. */
export function checkEntries(entries: readonly ImportEntry[], { rename, skipEmpty }: CheckOptions): CheckedEntries {
  const names = entries.flatMap((entry) => (isFailure(entry) ? [] : [entry.name]));
  const proposals = proposeNames(names);
  const secrets = new Map<string, CheckedSecret>();
  const failed: ImportFailure[] = [];
  const empty: ImportedSecret[] = [];
  for (const entry of entries) {
    const { name } = entry;
    if (isFailure(entry)) failed.push(entry);
    else if (secrets.has(name)) failed.push({ name, reason: "The import has this name more than once" });
    else {
      const checked = checkSecret(entry, proposals.get(name), rename);
      if (isFailure(checked) && checked.code === "VALUE_EMPTY" && skipEmpty) empty.push(entry);
      else if (isFailure(checked)) failed.push(checked);
      else secrets.set(name, checked);
    }
  }
  return { secrets, failed, empty };
}

function checkSecret(
  secret: ImportedSecret,
  proposal: string | undefined,
  rename: boolean,
): CheckedSecret | ImportFailure {
  try {
    const name = parseSecretName(rename && proposal !== undefined ? proposal : secret.name);
    const fields = parseFields(name, secret.type, secret.fields, () => new Date().toISOString(), true);
    return { ...secret, name, fields };
  } catch (error) {
    if (!(error instanceof AutokestraError)) throw error;
    const proposed = error.code === "NAME_INVALID" ? `; proposed: ${proposal}` : "";
    return { name: secret.name, reason: error.message + proposed, code: error.code, line: secret.line };
  }
}

const MAX_LENGTH = 255;

/**
 * Proposes a valid name for each invalid one: `my key!` -> `my_key`. All proposals differ from each other and from the
 * valid names, by a number if needed (`my_key_2`). The same names always get the same proposals.
 *
 * @returns the proposals by invalid name
 */
export function proposeNames(names: readonly string[]): ReadonlyMap<string, string> {
  const taken = new Set(names.filter(isIdentifier));
  const proposals = new Map<string, string>();
  /** The last number of each proposal, because thousands of names can have the same one. */
  const numbers = new Map<string, number>();
  for (const name of names) {
    if (isIdentifier(name) || proposals.has(name)) continue;
    const base = toBase(name);
    let number = numbers.get(base) ?? 1;
    while (!isFree(numbered(base, number))) number += 1;
    numbers.set(base, number);
    proposals.set(name, numbered(base, number));
    taken.add(numbered(base, number));
  }
  return proposals;

  function isFree(name: string): boolean {
    return isIdentifier(name) && !taken.has(name);
  }
}

/** Removes accents, and replaces each run of invalid characters by one `_`, except at the ends. */
function toBase(name: string): string {
  const words = name
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .match(/[A-Za-z0-9_-]+/g) ?? ["SECRET"];
  return words.join("_").slice(0, MAX_LENGTH);
}

function numbered(base: string, number: number): string {
  if (number === 1) return base;
  const suffix = `_${number}`;
  return base.slice(0, MAX_LENGTH - suffix.length) + suffix;
}
