import type { AutokestraError, ErrorCode } from "@autokestra/secrets-core";

/** A hint for every command, or one for each command that needs another. */
type Hint = string | Readonly<Record<string, string>>;

const NAME_KEY =
  "`--key-file FILE` or AUTOKESTRA_SECRET_KEY_FILE names the key file; `autokestra keys list` shows the keys that are here.";

const RESUME = " Where a rotation was interrupted, run it again with the same --new-key-file.";

/** What to do next, with the names of commands and options. Libraries do not know these. */
const HINTS: Partial<Record<ErrorCode, Hint>> = {
  KEY_WRONG: { "secrets rotate-key": NAME_KEY + RESUME, default: NAME_KEY },
  KEY_MISSING: {
    "secrets rotate-key": NAME_KEY + RESUME,
    "keys export": "`autokestra keys list` shows the keys that are here.",
    default: NAME_KEY,
  },
  STORE_ROLLED_BACK: "`--key-file FILE` opens it on purpose.",
  SECRET_EXISTS: { "secrets restore": "`autokestra secrets rename NAME OTHER` frees the name." },
  SECRET_NOT_FOUND: {
    "secrets restore": "`autokestra secrets list --deleted` shows what can be restored, with ids.",
  },
  FIELD_NOT_FOUND: { "secrets edit": "`autokestra secrets describe NAME` shows the fields." },
  NAME_INVALID: { "secrets import": "`--rename` takes the proposed names." },
  VALUE_EMPTY: {
    "secrets import": "`--skip-empty` leaves out what has no value.",
    "secrets set": "To change description, tags or expiry without the value, use `autokestra secrets edit NAME`.",
  },
  VERSION_CONFLICT: { "secrets edit": "`autokestra secrets describe NAME` shows the revision." },
  DATA_KEY_IN_USE: "Run `autokestra secrets rotate-key --data-key` again.",
  USAGE: {
    "secrets rotate-key":
      "`--new-key-file FILE` names the file of the new key; `--all-stores` rotates every store under the same key.",
    "secrets restore-backup": "`autokestra secrets backup FILE` makes a backup.",
  },
};

/** What a person can do about an error: what the library says, and which command or option does it. */
export function hintFor({ code, hint }: Pick<AutokestraError, "code" | "hint">, command: string): string | undefined {
  const known = HINTS[code];
  const own = typeof known === "object" ? (known[command] ?? known["default"]) : known;
  return [hint, own].filter((part) => part !== undefined).join(" ") || undefined;
}
