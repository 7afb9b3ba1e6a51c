import { AutokestraError, quoteText } from "./errors.ts";

declare const nameBrand: unique symbol;

/** A valid name of a secret. {@link parseSecretName} makes one of a string. */
export type SecretName = string & { readonly [nameBrand]: "SecretName" };

/** What names of secrets, fields, inputs and tasks match: 1 to 255 letters, digits, underscores and hyphens. */
export const IDENTIFIER: RegExp = /^[A-Za-z0-9_-]{1,255}$/;

const RESERVED = new Set(["__proto__", "prototype", "constructor"]);

/** Tells whether a text matches {@link IDENTIFIER} and is not reserved. */
export function isIdentifier(text: string): boolean {
  return IDENTIFIER.test(text) && !isReserved(text);
}

/** Tells whether JavaScript objects give the word a meaning, so that it cannot be a name: `__proto__` and the like. */
export function isReserved(text: string): boolean {
  return RESERVED.has(text);
}

/** Of a list with one name, which would pass the pattern, the store would think that its index is damaged. */
function isSecretName(text: string): text is SecretName {
  return typeof text === "string" && isIdentifier(text);
}

/**
 * Checks the name of a secret: 1 to 255 letters, digits, underscores and hyphens. Use it for names from outside that go
 * to a `SecretStore` or a `SecretSource`; a `SecretService` checks names itself.
 *
 * @throws AutokestraError `NAME_INVALID`
 *
 * @example
 * ```ts
 * import { parseSecretName, type SecretName } from "@autokestra/secrets-core";
 *
 * const name: SecretName = parseSecretName("DB_PASSWORD");
 * console.log(name); // prints DB_PASSWORD
 * ```
 */
export function parseSecretName(text: string): SecretName {
  if (!isSecretName(text)) throw invalidName(text);
  return text;
}

function invalidName(given: unknown): AutokestraError {
  const text = String(given);
  const hint = isReserved(text)
    ? "This word is reserved; use another name."
    : "1 to 255 characters; upper and lower case differ.";
  return new AutokestraError(
    "NAME_INVALID",
    `Invalid secret name '${quoteText(text)}': use letters, digits, underscore and hyphen`,
    { hint },
  );
}
