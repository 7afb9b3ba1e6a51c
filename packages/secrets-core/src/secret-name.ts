import { AutokestraError, quoteText } from "./errors.ts";

declare const nameBrand: unique symbol;

/** A name that has passed {@link parseSecretName}. */
export type SecretName = string & { readonly [nameBrand]: "SecretName" };

/** Letters, digits, underscore and hyphen, 1 to 255 of them: the form of secret names, fields, inputs and task ids. */
export const IDENTIFIER: RegExp = /^[A-Za-z0-9_-]{1,255}$/;

const RESERVED = new Set(["__proto__", "prototype", "constructor"]);

/** True for a string of the form of {@link IDENTIFIER} that is not a reserved word of JavaScript objects. */
export function isIdentifier(text: string): boolean {
  return IDENTIFIER.test(text) && !isReserved(text);
}

/** True for a word that JavaScript objects have a use for: no name or field, wherever it comes from. */
export function isReserved(text: string): boolean {
  return RESERVED.has(text);
}

function isSecretName(text: string): text is SecretName {
  return isIdentifier(text);
}

/**
 * Checks a secret's name.
 *
 * @throws AutokestraError `NAME_INVALID`
 */
export function parseSecretName(text: string): SecretName {
  if (!isSecretName(text)) throw invalidName(text);
  return text;
}

function invalidName(text: string): AutokestraError {
  const hint = isReserved(text)
    ? "This word is reserved; take another name."
    : "1 to 255 characters; upper and lower case differ.";
  return new AutokestraError(
    "NAME_INVALID",
    `Invalid secret name '${quoteText(text)}': use letters, digits, underscore and hyphen`,
    { hint },
  );
}
