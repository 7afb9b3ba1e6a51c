import { existsSync } from "node:fs";
import { dirname, normalize } from "node:path";
import { AutokestraError, parseSecretName, type SecretName } from "@autokestra/secrets-core";
import { holdsToken, isIdentifier, quoteText } from "@autokestra/secrets-core/internal";
import { USE_HINTS } from "./hints.ts";

/** The longest part of a refused word to repeat, in characters. */
const SHOWN_LENGTH = 40;

/** Eight or more characters with letters and digits among them are hardly a word. */
const MIXED_RUN = /(?=[A-Za-z0-9_+/-]*\d)(?=[A-Za-z0-9_+/-]*[A-Za-z])[A-Za-z0-9_+/-]{8,}/;

/** Replaces text that is not repeated. */
const HIDDEN = "…";

/**
 * Returns what a message may repeat of refused input: the text up to `=`, at most 40 characters, and nothing that looks
 * like a value. Every command uses it, because people paste values where names belong.
 */
export function shownInput(text: string): string {
  const [name = ""] = text.split("=", 1);
  if (name.length > SHOWN_LENGTH || looksLikeValue(name) || MIXED_RUN.test(name)) return HIDDEN;
  return name === text ? quoteText(name) : `${quoteText(name)}=${HIDDEN}`;
}

/** Returns what may be repeated of a path: all of it, unless its missing part looks like a value. */
export function shownPath(path: string): string {
  return isHidden(path, false) ? HIDDEN : path;
}

/**
 * Removes arguments that look like values from a message. A library names the path or the name that it was given; only
 * the command knows that a person typed it.
 *
 * @param areNames whether the message is about names, which may contain numbers
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

/** The value in an argument: `VALUE` in `--name=VALUE`. */
function valuesIn(argument: string): string[] {
  if (!/^--[a-z]/i.test(argument)) return [argument];
  const at = argument.indexOf("=");
  return at === -1 ? [] : [argument.slice(at + 1)];
}

/** Tells whether a text looks like a value, without the part of it that is an existing path. */
function isHidden(text: string, isName: boolean): boolean {
  if (looksLikeValue(text.slice(existingPart(text).length))) return true;
  return !isName && !/[/.]/.test(text) && changes(text.replace(/[_-]/g, "")) >= 2 && !existsSync(text);
}

/** The existing part of a path. */
function existingPart(path: string): string {
  if (existsSync(path)) return path;
  const parent = dirname(path);
  return parent === path || parent === "." ? "" : existingPart(parent);
}

/** Replaces a text in every form in which a message may quote it. */
function replaceForms(message: string, text: string, hidden: string): string {
  const forms = [text, normalize(text), quoteText(text), JSON.stringify(text).slice(1, -1)];
  return forms.reduce((shown, form) => (form.length < 3 ? shown : shown.replaceAll(form, hidden)), message);
}

/**
 * True for text that is hardly a name: the token of a service, a URL, several lines, a sentence, random letters and
 * digits. False for names such as `GITHUB_TOKEN_2`.
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

/** True for letters and digits that alternate more often than in words with a number. */
function isRandom(run: string): boolean {
  if (run.length < 8) return false;
  return changes(run) >= 3 || (run.length >= 12 && changes(run) >= 2 && /[a-z]/.test(run) && /[A-Z]/.test(run));
}

/** How often letters and digits alternate. */
function changes(run: string): number {
  return run.match(/[A-Za-z](?=\d)|\d(?=[A-Za-z])/g)?.length ?? 0;
}

/**
 * Checks the name of a secret that was typed as an argument. A refused name is shown as {@link shownInput} allows.
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
 * @param known the fields of the secret, because imported ones can have any name
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
