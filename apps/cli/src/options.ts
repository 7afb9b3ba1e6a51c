import {
  AutokestraError,
  checkExpiry,
  parseSecretType,
  SECRET_TYPES,
  type SecretName,
  suggestSecretType,
  type Timestamp,
} from "@autokestra/secrets-core";
import { Option } from "commander";

/** Appends the value of an option that may be given more than once. */
export function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

/** `--type`, in any case and with any separator: `APIKey`, `api_key`. */
export function typeOption(description: string): Option {
  return new Option("--type <type>", description).choices(SECRET_TYPES).argParser((text) => {
    const type = parseSecretType(text);
    if (type !== null) return type;
    const near = suggestSecretType(text);
    throw new AutokestraError("USAGE", `--type takes one of these: ${SECRET_TYPES.join(", ")}`, {
      hint: near === null ? undefined : `Did you mean '${near}'?`,
    });
  });
}

/** An option with a few possible values. A refused value is not repeated. */
export function choiceOption(flags: string, description: string, choices: readonly string[]): Option {
  const [name = ""] = flags.split(" ", 1);
  return new Option(flags, description).choices(choices).argParser((text) => {
    if (choices.includes(text)) return text;
    throw new AutokestraError("USAGE", `${name} takes one of these: ${choices.join(", ")}`);
  });
}

/** `--expires-at`. Null is `never`. @throws AutokestraError `VALUE_INVALID` */
export function parseExpiry(name: SecretName, text: string | undefined): Timestamp | null | undefined {
  if (text === undefined) return undefined;
  return text === "never" ? null : checkExpiry(name, text, () => new Date().toISOString());
}

/** What to say of a moment of expiry that is past; null where it is not. */
export function expiredWarning(name: SecretName, expiresAt: Timestamp | null): string | null {
  if (expiresAt === null || expiresAt > new Date().toISOString()) return null;
  return `warning: '${name}' has expired already, at ${expiresAt}`;
}

/** The value of an option that is a whole number. */
export function parseWholeNumber(option: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new AutokestraError("USAGE", `${option} takes a whole number of at most 9 digits`);
}
