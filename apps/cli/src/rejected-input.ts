import { existsSync } from "node:fs";
import { dirname, normalize } from "node:path";
import {
  AutokestraError,
  holdsToken,
  isIdentifier,
  parseSecretName,
  quoteText,
  type SecretName,
} from "@autokestra/secrets-core";
import { USE_HINTS } from "./hints.ts";

/** The longest part of a refused word that is repeated, in characters. */
const SHOWN_LENGTH = 40;

/** So many letters and digits in a row, with both among them, are hardly a word that was meant as one. */
const MIXED_RUN = /(?=[A-Za-z0-9_+/-]*\d)(?=[A-Za-z0-9_+/-]*[A-Za-z])[A-Za-z0-9_+/-]{8,}/;

/** What stands for text that is not repeated. */
const HIDDEN = "…";

/**
 * What a message may repeat of input that is refused: the text up to `=`, at most 40 characters, and nothing that looks like a value.
 * Every command goes through here, because people paste values where names belong.
 */
export function shownInput(text: string): string {
  const [name = ""] = text.split("=", 1);
  if (name.length > SHOWN_LENGTH || looksLikeValue(name) || MIXED_RUN.test(name)) return HIDDEN;
  return name === text ? quoteText(name) : `${quoteText(name)}=${HIDDEN}`;
}

/** What may be repeated of a path: all of it, unless what is not there looks like a value. */
export function shownPath(path: string): string {
  return isHidden(path, false) ? HIDDEN : path;
}

/**
 * A message without those arguments of the command line that look like values. A library names the path or the name that it was
 * given; only the command knows that a person has typed it.
 *
 * @param areNames the message is about names, which may have numbers in them
 */
export function hideArguments(message: string, args: readonly string[], areNames = false): string {
  return args.flatMap(valuesIn).reduce((shown, text) => {
    const [name = ""] = text.split("=", 1);
    if (name !== text && isIdentifier(name) && !isHidden(name, areNames)) {
      return existsSync(text) ? shown : replaceForms(shown, text, `${name}=${HIDDEN}`);
    }
    if (!isHidden(text, areNames)) return shown;
    const segments = text.split("/").filter(looksLikeValue);
    return [text, ...segments].reduce((rest, part) => replaceForms(rest, part, HIDDEN), shown);
  }, message);
}

/** What an argument gives: `VALUE` where it is `--name=VALUE`. */
function valuesIn(argument: string): string[] {
  if (!argument.startsWith("--")) return [argument];
  const at = argument.indexOf("=");
  return at === -1 ? [] : [argument.slice(at + 1)];
}

/** Whether a text looks like a value, as far as it is not the path of something that is there. */
function isHidden(text: string, isName: boolean): boolean {
  if (looksLikeValue(text.slice(existingPart(text).length))) return true;
  return !isName && !/[/.]/.test(text) && changes(text.replace(/[_-]/g, "")) >= 2 && !existsSync(text);
}

/** The folders at the beginning of a path that are there. */
function existingPart(path: string): string {
  if (existsSync(path)) return path;
  const parent = dirname(path);
  return parent === path || parent === "." ? "" : existingPart(parent);
}

/** Replaces a text in each form in which a message may quote it. */
function replaceForms(message: string, text: string, hidden: string): string {
  const forms = [text, normalize(text), quoteText(text), JSON.stringify(text).slice(1, -1)];
  return forms.reduce((shown, form) => (form.length < 3 ? shown : shown.replaceAll(form, hidden)), message);
}

/**
 * True for what nobody calls a name: the token of a service, a URL, several lines, a sentence, random letters and digits. Names such as
 * `GITHUB_TOKEN_2` are none.
 */
function looksLikeValue(text: string): boolean {
  return (
    holdsToken(text) ||
    /[\r\n]|:\/\/|-{5}/.test(text) ||
    (text.match(/\s+/g) ?? []).length > 1 ||
    (text.length >= 8 && /\d/.test(text) && /[A-Za-z]/.test(text) && /[^\w./\s~,:-]/.test(text)) ||
    text.split(/[^A-Za-z0-9]/).some(isRandom)
  );
}

/** A run of letters and digits that changes between them more often than words with a number do. */
function isRandom(run: string): boolean {
  if (run.length < 8) return false;
  return changes(run) >= 3 || (run.length >= 12 && changes(run) >= 2 && /[a-z]/.test(run) && /[A-Z]/.test(run));
}

/** How often letters and digits change in a run of them. */
function changes(run: string): number {
  return run.match(/[A-Za-z](?=\d)|\d(?=[A-Za-z])/g)?.length ?? 0;
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
    { hint: USE_HINTS.nameAlone },
  );
}

/**
 * Checks field names that were given to an option.
 *
 * @param known the names that the secret has: imported ones can be of any form
 * @throws AutokestraError `USAGE`
 */
export function parseFieldNames(
  option: string,
  names: readonly string[] | undefined,
  known: readonly string[] = [],
): readonly string[] | undefined {
  if (names?.every((name) => isIdentifier(name) || known.includes(name)) !== false) return names;
  throw new AutokestraError("USAGE", `${option} takes the name of a field`, {
    hint: "Give the name alone, without a value.",
  });
}
