import { AutokestraError, parseFields, parseSecretName, type SecretFields } from "@autokestra/secrets-core";
import { type ImportEntry, type ImportedSecret, type ImportFailure, isFailure } from "./import-entry.ts";
import { proposeNames } from "./propose-names.ts";

/** An imported secret whose name and fields are good. */
export interface CheckedSecret extends ImportedSecret {
  readonly fields: SecretFields;
}

export interface CheckedEntries {
  /** By the name in the source. */
  readonly secrets: ReadonlyMap<string, CheckedSecret>;
  readonly failed: readonly ImportFailure[];
  /** Without a value, and left out. */
  readonly empty: readonly ImportedSecret[];
}

export interface CheckOptions {
  /** Take the proposed name where a name is refused; otherwise it fails, and the reason has the proposal. */
  readonly rename: boolean;
  /** Leave out what has an empty value; otherwise it fails. */
  readonly skipEmpty: boolean;
}

/** Checks names and fields as `set` does, but for the names of fields: those are kept. */
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
