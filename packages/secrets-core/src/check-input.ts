import { AutokestraError, quoteText } from "./errors.ts";
import { descriptionProblem, tagProblem } from "./metadata.ts";
import type { SecretInput } from "./secret.ts";
import { parseSecretName, type SecretName } from "./secret-name.ts";
import { changePolicy } from "./secret-policy.ts";
import { parseFields, type SecretFields } from "./secret-type.ts";
import { parseMoment, TIME_EXAMPLES, type Timestamp } from "./time.ts";

/** One secret of many that are written together. An imported one can bring its own times. */
export interface DatedInput extends SecretInput {
  /** Write only if the stored secret has this version; 0: only if the name does not exist. Default: always write. */
  readonly ifVersion?: number | undefined;
  /** Write only if this is the secret of the name. Default: always. */
  readonly ifId?: string | undefined;
  /** Write only if the stored secret has this revision. Default: always. */
  readonly ifRevision?: number | undefined;
  /** Do not change the type of a stored secret: fail instead. Default: false. */
  readonly keepType?: boolean | undefined;
  /** Used only for a new secret. Default: now. */
  readonly createdAt?: Timestamp | null | undefined;
  /** Default: now. */
  readonly updatedAt?: Timestamp | null | undefined;
  /** The number of the record in the source that it was imported from. Used only for a new secret. Default: none. */
  readonly importedId?: number | null | undefined;
  /** Accept field names that no reference can spell: see `keepsNames` of `parseFields`. Default: false. */
  readonly keepsFieldNames?: boolean | undefined;
}

/** A checked input. Only its id and its version are not known yet. */
export interface ValidInput
  extends Omit<DatedInput, "name" | "expiresAt" | "fields" | "keepsFieldNames" | "allowEmpty"> {
  readonly name: SecretName;
  readonly fields: SecretFields;
  readonly expiresAt: Timestamp | null;
}

/**
 * Checks and normalises an input.
 *
 * @param expected what must be stored; default: what the input says about it
 * @throws AutokestraError `NAME_INVALID`, `VALUE_EMPTY`, `VALUE_INVALID`
 */
export function checkInput(
  input: DatedInput,
  now: () => Timestamp,
  expected: Pick<DatedInput, "ifVersion" | "ifId" | "ifRevision" | "keepType"> = input,
): Required<ValidInput> {
  const { ifVersion, ifId, ifRevision, keepType } = expected;
  const name = parseSecretName(input.name);
  const fields = parseFields(name, input.type, input.fields, now, input.keepsFieldNames, input.allowEmpty);
  const { type, description, tags, keepExpiry, publicFields, maskFields, allow, createdAt, updatedAt, importedId } =
    input;
  checkTexts(name, { description, tags });
  if (allow !== undefined) changePolicy(name, null, allow);
  const unique = tags === undefined ? undefined : [...new Set(tags)];
  const expiresAt = readExpiry(name, input, fields, now);
  // Named one by one: `...input` with other values behind it takes 7 µs, this 0.3.
  return {
    name,
    type,
    fields,
    description,
    tags: unique,
    expiresAt,
    keepExpiry,
    publicFields,
    maskFields,
    allow,
    ifVersion,
    ifId,
    ifRevision,
    keepType,
    createdAt,
    updatedAt,
    importedId,
  };
}

/**
 * Checks the description and the tags.
 *
 * @throws AutokestraError `VALUE_INVALID`
 */
export function checkTexts(name: SecretName, { description, tags }: Pick<SecretInput, "description" | "tags">): void {
  if (typeof description === "string") refuse(name, "description", descriptionProblem(description));
  // A text is a list of its characters, too.
  if (tags && !(Array.isArray(tags) && tags.every((tag) => typeof tag === "string")))
    refuse(name, "tags", "must be a list of texts");
  for (const tag of tags ?? []) refuse(name, `tag '${quoteText(tag)}'`, tagProblem(tag));
}

/**
 * Reads an expiry as people write it: see `parseMoment`.
 *
 * @param now returns the time that a duration such as `90d` counts from
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

/** Returns the expiry in the field `expiresAt` of a bearerToken or an oauth secret; null if it has no such field. */
export function expiryInFields(type: SecretInput["type"], fields: SecretFields): Timestamp | null {
  return typeof fields["expiresAt"] === "string" && type !== "custom" ? fields["expiresAt"] : null;
}

/** Metadata and the field `expiresAt` of a bearerToken or an oauth secret must agree. */
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
