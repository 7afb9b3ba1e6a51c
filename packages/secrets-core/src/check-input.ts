import { AutokestraError, quoteText } from "./errors.ts";
import { descriptionProblem, tagProblem } from "./metadata.ts";
import type { SecretInput } from "./secret.ts";
import { parseSecretName, type SecretName } from "./secret-name.ts";
import { parseFields, type SecretFields } from "./secret-type.ts";
import { parseMoment, TIME_EXAMPLES, type Timestamp } from "./time.ts";

/** One of many inputs, which may come from elsewhere with times of its own. */
export interface DatedInput extends SecretInput {
  /** Write only if this is the stored version; 0 means "only if there is none". */
  readonly ifVersion?: number | undefined;
  /** Write only if this is the secret of the name, in this revision. */
  readonly ifId?: string | undefined;
  readonly ifRevision?: number | undefined;
  /** Write only if what is stored, if anything is, has this type. Default: false. */
  readonly keepType?: boolean | undefined;
  /** Kept where the secret is new. Default: now. */
  readonly createdAt?: Timestamp | null | undefined;
  /** Default: now. */
  readonly updatedAt?: Timestamp | null | undefined;
  /** The number of the record where it was imported from. Kept where the secret is new. Default: none. */
  readonly importedId?: number | null | undefined;
  /** Its fields have the names that they have elsewhere, as `parseFields` tells. Default: false. */
  readonly keepsFieldNames?: boolean | undefined;
}

/** What an input says once it is checked; only id and version are still open. */
export interface ValidInput extends Omit<DatedInput, "name" | "expiresAt" | "fields" | "keepsFieldNames"> {
  readonly name: SecretName;
  readonly fields: SecretFields;
  readonly expiresAt: Timestamp | null;
}

/** @throws AutokestraError `NAME_INVALID`, `VALUE_EMPTY`, `VALUE_INVALID` */
export function checkInput(input: DatedInput, now: () => Timestamp): ValidInput {
  const name = parseSecretName(input.name);
  const fields = parseFields(name, input.type, input.fields, now, input.keepsFieldNames, input.allowEmpty);
  const { description, tags } = input;
  checkTexts(name, { description, tags });
  const unique = tags === undefined ? undefined : [...new Set(tags)];
  const expiresAt = readExpiry(name, input, fields, now);
  return { ...input, name, fields, tags: unique, expiresAt };
}

/** @throws AutokestraError `VALUE_INVALID` */
export function checkTexts(name: SecretName, { description, tags }: Pick<SecretInput, "description" | "tags">): void {
  if (typeof description === "string") refuse(name, "description", descriptionProblem(description));
  for (const tag of tags ?? []) refuse(name, `tag '${quoteText(tag)}'`, tagProblem(tag));
}

/**
 * Reads when a secret expires, as people write it.
 *
 * @param now gives the moment that `90d` counts from
 * @throws AutokestraError `VALUE_INVALID`
 */
export function checkExpiry(name: SecretName, input: string | number, now: () => Timestamp): Timestamp {
  const expiresAt = parseMoment(input, now);
  if (expiresAt !== null) return expiresAt;
  throw new AutokestraError("VALUE_INVALID", `Secret '${name}': the expiry is not a time`, {
    hint: `Write ${TIME_EXAMPLES}.`,
  });
}

function refuse(name: string, what: string, problem: string | null): void {
  if (problem !== null) throw new AutokestraError("VALUE_INVALID", `Secret '${name}': ${what} ${problem}`);
}

/** The expiry that a bearerToken or an oauth secret has in a field; null for all others. */
export function expiryInFields(type: SecretInput["type"], fields: SecretFields): Timestamp | null {
  return typeof fields["expiresAt"] === "string" && type !== "custom" ? fields["expiresAt"] : null;
}

/** A bearerToken and an oauth secret can say when they expire in a field; the metadata must then say the same. */
function readExpiry(
  name: SecretName,
  input: SecretInput,
  fields: SecretFields,
  now: () => Timestamp,
): Timestamp | null {
  const inField = expiryInFields(input.type, fields);
  if (input.expiresAt === undefined || input.expiresAt === null) return inField;
  const expiresAt = checkExpiry(name, input.expiresAt, now);
  if (inField !== null && inField !== expiresAt) {
    throw new AutokestraError("VALUE_INVALID", `Secret '${name}' has two different expiry times`, {
      hint: "Give it once: as the expiry of the secret or as its field expiresAt.",
    });
  }
  return expiresAt;
}
