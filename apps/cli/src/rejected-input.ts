import { AutokestraError, isIdentifier, parseSecretName, quoteText, type SecretName } from "@autokestra/secrets-core";

/** The longest part of a refused word that is repeated, in characters. */
const SHOWN_LENGTH = 40;

/** So many letters and digits in a row, with both among them, are hardly a word. */
const MIXED_RUN = /(?=[A-Za-z0-9_+/-]*\d)(?=[A-Za-z0-9_+/-]*[A-Za-z])[A-Za-z0-9_+/-]{8,}/;

/**
 * What a message may repeat of input that is refused: the text up to `=`, at most 40 characters, and nothing that looks like a value.
 * Every command goes through here, because people paste values where names belong.
 */
export function shownInput(text: string): string {
  const [name = ""] = text.split("=", 1);
  const looksLikeValue =
    name.length > SHOWN_LENGTH || name.includes("://") || /-{5}/.test(name) || MIXED_RUN.test(name);
  if (looksLikeValue) return "…";
  return name === text ? quoteText(name) : `${quoteText(name)}=…`;
}

/**
 * Checks a secret's name that was typed as an argument. A refused one is repeated only as far as {@link shownInput} goes.
 *
 * @throws AutokestraError `NAME_INVALID`
 */
export function parseNameArgument(text: string): SecretName {
  if (isIdentifier(text)) return parseSecretName(text);
  const shown = shownInput(text);
  if (shown === text) return parseSecretName(text);
  throw new AutokestraError(
    "NAME_INVALID",
    `Invalid secret name '${shown}': use letters, digits, underscore and hyphen`,
    { hint: "Give the name alone. A value goes to the standard input of `autokestra secrets set NAME`." },
  );
}

/**
 * Checks field names that were given to an option.
 *
 * @throws AutokestraError `USAGE`
 */
export function parseFieldNames(option: string, names: readonly string[] | undefined): readonly string[] | undefined {
  if (names?.every(isIdentifier) !== false) return names;
  throw new AutokestraError("USAGE", `${option} takes the name of a field`, {
    hint: "Give the name alone, without a value.",
  });
}
