import type { Problem } from "@autokestra/engine";

/** A hint for every command, or one for each command that needs another. */
type Hint = string | Readonly<Record<string, string>>;

const NAME_KEY =
  "`--key-file FILE` or AUTOKESTRA_SECRET_KEY_FILE names the key file; `autokestra keys list` shows the keys that are here.";

const RESUME = " Where a rotation was interrupted, run it again with the same --new-key-file.";

/** What to do next, with the names of commands and options. Libraries do not know these. */
const HINTS: Partial<Record<Problem["code"], Hint>> = {
  KEY_WRONG: { "secrets rotate-key": NAME_KEY + RESUME, default: NAME_KEY },
  KEY_MISSING: {
    "secrets rotate-key": NAME_KEY + RESUME,
    "keys export": "`autokestra keys list` shows the keys that are here.",
    default: NAME_KEY,
  },
  STORE_ROLLED_BACK: "`--key-file FILE` opens it on purpose.",
  SECRET_EXISTS: { "secrets restore": "`autokestra secrets rename NAME OTHER` frees the name." },
  SECRETS_MISSING: "`autokestra secrets set NAME` stores one.",
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

/** Which command has failed. */
export interface Invocation {
  /** Such as `secrets set`: some hints are for one command. */
  readonly command: string;
  /** What was typed behind the program. */
  readonly args: readonly string[];
}

/** What a person can do about an error: what the library says, and which command or option does it. */
export function hintFor(
  { code, hint }: Pick<Problem, "code" | "hint">,
  { command, args }: Invocation,
): string | undefined {
  const known = HINTS[code];
  const own = typeof known === "object" ? (known[command] ?? known["default"]) : known;
  const isBlind = code === "SECRETS_MISSING" && args.includes("--no-env");
  const blind = isBlind ? "The environment was not looked at (--no-env)." : undefined;
  return [hint, blind, own].filter((part) => part !== undefined).join(" ") || undefined;
}
