import { AutokestraError, quoteText } from "./errors.ts";
import { descriptionSchema, type SecretInput, tagSchema } from "./secret.ts";
import { parseSecretName, type SecretName } from "./secret-name.ts";
import { parseFields, type SecretFields } from "./secret-type.ts";
import { parseTimestamp, type Timestamp } from "./time.ts";

/** One of many inputs, which may come from elsewhere with times of its own. */
export interface DatedInput extends SecretInput {
  /** Write only if this is the stored version; 0 means "only if there is none". */
  readonly ifVersion?: number | undefined;
  /** Kept where the secret is new. Default: now. */
  readonly createdAt?: Timestamp | null | undefined;
  /** Default: now. */
  readonly updatedAt?: Timestamp | null | undefined;
}

/** What an input says once it is checked; only id and version are still open. */
export interface ValidInput extends Omit<DatedInput, "name" | "expiresAt" | "fields"> {
  readonly name: SecretName;
  readonly fields: SecretFields;
  readonly expiresAt: Timestamp | null;
}

/** @throws AutokestraError `NAME_INVALID`, `VALUE_EMPTY`, `VALUE_INVALID` */
export function checkInput(input: DatedInput): ValidInput {
  const name = parseSecretName(input.name);
  const fields = parseFields(name, input.type, input.fields);
  const { type, description, tags, createdAt, updatedAt, ifVersion } = input;
  if (typeof description === "string") refuseBadText(name, "description", descriptionSchema.safeParse(description));
  for (const tag of tags ?? []) refuseBadText(name, `tag '${quoteText(tag)}'`, tagSchema.safeParse(tag));
  const unique = tags === undefined ? undefined : [...new Set(tags)];
  const expiresAt = readExpiry(name, input, fields);
  return { name, type, fields, description, tags: unique, expiresAt, createdAt, updatedAt, ifVersion };
}

function refuseBadText(
  name: string,
  what: string,
  result: { error?: { issues: readonly { message: string }[] } | undefined },
): void {
  const issue = result.error?.issues[0];
  if (issue) throw new AutokestraError("VALUE_INVALID", `Secret '${name}': ${what} ${issue.message}`);
}

/** A bearerToken and an oauth secret can say when they expire in a field; the metadata must then say the same. */
function readExpiry(name: SecretName, input: SecretInput, fields: SecretFields): Timestamp | null {
  const inField = typeof fields["expiresAt"] === "string" && input.type !== "custom" ? fields["expiresAt"] : null;
  if (input.expiresAt === undefined || input.expiresAt === null) return inField;
  const expiresAt = parseTimestamp(input.expiresAt);
  if (expiresAt === null) {
    throw new AutokestraError("VALUE_INVALID", `Secret '${name}': the expiry is not a time`, {
      hint: "Write ISO 8601, such as 2027-01-31 or 2027-01-31T12:00:00Z, or milliseconds since 1970.",
    });
  }
  if (inField !== null && inField !== expiresAt) {
    throw new AutokestraError("VALUE_INVALID", `Secret '${name}' has two different expiry times`, {
      hint: "Give it once: as the expiry of the secret or as its field expiresAt.",
    });
  }
  return expiresAt;
}
