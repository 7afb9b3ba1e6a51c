import { AutokestraError } from "@autokestra/secrets-core";
import { Option } from "commander";

/** Appends the value of an option that may be given more than once. */
export function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

export function typeOption(): Option {
  const types = ["apiKey", "basicAuth", "bearerToken", "oauth", "custom"];
  return new Option("--type <type>", "the type of the secret").choices(types);
}

/** The value of an option that is a whole number. */
export function parseWholeNumber(option: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new AutokestraError("USAGE", `${option} takes a whole number of at most 9 digits`);
}
