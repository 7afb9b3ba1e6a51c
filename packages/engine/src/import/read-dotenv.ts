import { parseEnv } from "node:util";
import { AutokestraError } from "@autokestra/secrets-core";
import { type ImportEntry, importedApiKey } from "./import-entry.ts";

/** A line of a value that should be in quotes has other characters: such a "name" must not get into a message. */
const VARIABLE = /^[\w.-]+$/;

/**
 * Reads a `.env` file; each variable is an apiKey. The grammar is that of Node's `util.parseEnv`: the last one of two variables
 * with one name counts, `#` begins a comment where there are no quotes, and a line without `=` is nothing.
 *
 * @throws AutokestraError `VALUE_INVALID` where a line is no variable
 */
export function readDotenv(text: string): ImportEntry[] {
  const variables = Object.entries(parseEnv(text));
  if (variables.every(([name]) => VARIABLE.test(name))) {
    return variables.map(([name, value = ""]) => importedApiKey(name, value));
  }
  throw new AutokestraError("VALUE_INVALID", "The .env file has a line whose name is not that of a variable", {
    hint: "Names have letters, digits, `_`, `.` and `-`. Put a value of several lines in quotes.",
  });
}
