import { AutokestraError, type SecretType } from "@autokestra/secrets-core";
import { Option } from "commander";

/** Appends the value of an option that may be given more than once. */
export function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

const TYPES: readonly SecretType[] = ["apiKey", "basicAuth", "bearerToken", "oauth", "custom"];

/** `--type`, in any case and with any separator: `APIKey`, `api_key`. */
export function typeOption(description: string): Option {
  return choiceOption("--type <type>", description, TYPES, (text) => text.replace(/[-_ ]/g, "").toLowerCase());
}

/**
 * An option with a few possible values. A refused value is not repeated.
 *
 * @param normalize makes different spellings of one choice equal. Default: none are
 */
export function choiceOption(
  flags: string,
  description: string,
  choices: readonly string[],
  normalize: (text: string) => string = (text) => text,
): Option {
  const [name = ""] = flags.split(" ", 1);
  return new Option(flags, description).choices(choices).argParser((text) => {
    const choice = choices.find((one) => normalize(one) === normalize(text));
    if (choice !== undefined) return choice;
    throw new AutokestraError("USAGE", `${name} takes one of these: ${choices.join(", ")}`);
  });
}

/** The value of an option that is a whole number. */
export function parseWholeNumber(option: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new AutokestraError("USAGE", `${option} takes a whole number of at most 9 digits`);
}
