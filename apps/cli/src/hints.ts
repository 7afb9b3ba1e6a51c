import type { Problem } from "@autokestra/engine";
import type { ErrorCode, ErrorDetails } from "@autokestra/secrets-core";
import { quoteText } from "@autokestra/secrets-core/internal";

/**
 * Writes a hint from the details of an error and the hint of the library. A method, so that those of all codes have one
 * type.
 */
interface Writer<Code extends ErrorCode> {
  write(details: Partial<ErrorDetails[Code]>, given: string | undefined): string | undefined;
}

/** A hint, or a function that writes it. */
type Hint<Code extends ErrorCode> = string | Writer<Code>["write"];

/** A hint for every command, or one for each command that needs its own. */
type Hints = {
  readonly INLINE_CREDENTIAL?: string;
} & {
  readonly [Code in ErrorCode]?: Hint<Code> | { readonly [command: string]: Hint<Code> };
};

const NAME_KEY =
  "`--key-file FILE` or AUTOKESTRA_SECRET_KEY_FILE names the key file; `autokestra keys list` lists the keys on this machine.";

const RESUME = " After an interrupted rotation, run it again with the same --new-key-file.";

const RESTORE = "`autokestra secrets restore-backup FILE` restores a backup.";

/** What to do next, with the names of commands and options, which libraries do not know. */
const HINTS: Hints = {
  KEY_WRONG: { "secrets rotate-key": NAME_KEY + RESUME, default: NAME_KEY },
  KEY_MISSING: {
    "secrets rotate-key": NAME_KEY + RESUME,
    "keys export": "`autokestra keys list` lists the keys on this machine.",
    default: NAME_KEY,
  },
  STORE_ROLLED_BACK: "`--key-file FILE` opens it anyway.",
  STORE_UNAVAILABLE: ({ reason, driver }) => {
    if (reason === "no store yet") return "`autokestra secrets set NAME` stores one.";
    if (reason === "another driver") return `\`autokestra secrets migrate --to ${driver}\` moves them.`;
    return reason === "two stores" ? "`--storage-backend sqlite` or `file` says which." : undefined;
  },
  STORE_CORRUPT: {
    doctor: RESTORE,
    default: ({ reason }: Partial<ErrorDetails["STORE_CORRUPT"]>) => {
      if (reason === "store not found") return RESTORE;
      return reason === "secret damaged" ? "`autokestra secrets delete NAME --purge` removes it for good." : undefined;
    },
  },
  INTEGRITY_FAILED: { doctor: RESTORE },
  AUDIT_UNAVAILABLE: ({ reason }) =>
    reason === "end removed"
      ? "`autokestra audit restart` continues without it, with a signed record of the loss."
      : undefined,
  IDENTITY_WRONG: "`--identity FILE` names the file of the identity, `--passphrase-file FILE` that of the passphrase.",
  SECRET_EXISTS: { "secrets restore": "`autokestra secrets rename NAME OTHER` frees the name." },
  SECRET_NOT_ALLOWED:
    "`autokestra secrets describe NAME` shows who may use it, and `autokestra secrets edit NAME` changes it.",
  SECRETS_MISSING: ({ retained = [] }) => {
    const set = "`autokestra secrets set NAME` stores one.";
    return retained.length > 0 ? `\`autokestra secrets restore NAME\` restores a deleted one; ${set}` : set;
  },
  SECRET_NOT_FOUND: {
    "secrets restore": "`autokestra secrets list --deleted` shows what can be restored, with ids.",
    default: "`autokestra secrets list` lists the names.",
  },
  SECRET_DELETED: ({ names = [] }) => {
    const name = quoteText(names[0] ?? "NAME");
    return `\`autokestra secrets restore ${name}\` restores it; \`autokestra secrets delete ${name} --purge\` removes it for good.`;
  },
  FIELD_NOT_FOUND: { "secrets edit": "`autokestra secrets describe NAME` shows the fields." },
  NAME_INVALID: { "secrets import": "`--rename` accepts the proposed names." },
  VALUE_EMPTY: {
    "secrets import": "`--skip-empty` skips empty values.",
    "secrets set": "To change description, tags or expiry without the value, use `autokestra secrets edit NAME`.",
  },
  VERSION_CONFLICT: { "secrets edit": "`autokestra secrets describe NAME` shows the revision." },
  DATA_KEY_IN_USE: "Run `autokestra secrets rotate-key --data-key` again.",
  INPUT_INVALID: ({ missing }) => (missing === undefined ? undefined : `\`--input ${missing}=VALUE\` gives it.`),
  INLINE_CREDENTIAL: "`autokestra secrets adopt FILE` does that.",
  TOKEN_NOT_FOUND: "`autokestra tokens list` lists the tokens.",
  TOKEN_EXISTS: "`autokestra tokens revoke NAME` revokes it.",
  RUN_NOT_FOUND: "`autokestra runs list` lists the runs.",
  RUN_AMBIGUOUS: "`autokestra runs list` shows the whole ids.",
  RUN_ACTIVE: ({ reason }) =>
    reason === "unknown" ? "`--force` resumes it if it is not." : "`autokestra runs logs ID --follow` follows it.",
  RUN_ENDED: ({ reason }) =>
    reason === "lost" ? "`autokestra runs resume ID` resumes it, `autokestra runs delete ID` removes it." : undefined,
  RUN_NOT_RESUMABLE: "`autokestra runs rerun ID` runs it again as a new run.",
  HISTORY_UNAVAILABLE: (_, given) => (given === undefined ? "`--runs-path FILE` names another file." : undefined),
  OPTION_INVALID: {
    "secrets rotate-key":
      "`--new-key-file FILE` names the file of the new key; `--all-stores` rotates every store under the same key.",
    "secrets restore-backup": ({ reason }: Partial<ErrorDetails["OPTION_INVALID"]>, given) => {
      if (reason === "another key in place") return "`--key-file FILE` names it.";
      return given === undefined ? "`autokestra secrets backup FILE` makes a backup." : undefined;
    },
  },
};

/** Hints for wrong use of the command line. */
export const USE_HINTS = {
  help: "`--help` shows its usage.",
  options: "`--help` shows the options. A value that begins with '-' goes to standard input.",
  versionOfSecret:
    "`autokestra --version` prints the version of autokestra; `secrets get NAME --at-version N` and `secrets rollback NAME --to N` take the version of a secret.",
  nameAlone: "Give only the name. `autokestra secrets set NAME` reads the value from standard input.",
  fieldFile: "k=@FILE reads a file.",
  eachField: (names: readonly string[]) =>
    `Give each one: ${names.map((name) => `--field ${name}=…`).join(" ")} (k=@FILE reads a file, k=- standard input).`,
  whatToEdit:
    "Give --description, --tag, --untag, --expires-at, --public-field, --mask-field, --secret-field, --allow-workflow, --allow-task-type or --allow-host. `autokestra secrets set NAME` stores a new value.",
  whereWorkflows: "Give workflow files, or --workflows FOLDER.",
  force: "Add --force.",
  forceOrDryRun: "Add --force, or --dry-run to see the changes only.",
  makeToken: "`autokestra tokens create NAME --role ROLE` makes one.",
  auditProblem: "`autokestra audit list` shows the records around it, and docs/operate.md what each problem means.",
  fernetKey: "Name it with --fernet-key.",
  encryptBackup: "`--recipient age1…` or `--passphrase-file FILE` encrypts the whole file.",
  fingerprints: "`autokestra keys list` shows the fingerprints.",
};

/** The command that failed. */
export interface Invocation {
  /** The path of the command, such as `secrets set`, because some hints are for one command. */
  readonly command: string;
  /** The arguments of the program. */
  readonly args: readonly string[];
}

/** The hint for an error: what the library says, and the command or option for it. */
export function hintFor(
  { code, hint, details = {} }: Pick<Problem, "code" | "hint" | "details">,
  { command, args }: Invocation,
): string | undefined {
  const isBlind = code === "SECRETS_MISSING" && args.includes("--no-env");
  const blind = isBlind ? "The environment was not searched (--no-env)." : undefined;
  const own = ownHint(code, command);
  const text = typeof own === "function" ? own(details, hint) : own;
  return [hint, blind, text].filter((part) => part !== undefined).join(" ") || undefined;
}

/** The hint of a code for a command. The cast is safe, because errors have the details of their code. */
function ownHint(code: Problem["code"], command: string): string | Writer<ErrorCode>["write"] | undefined {
  const known = (HINTS as Readonly<Record<string, Hint<never> | Readonly<Record<string, Hint<never>>>>>)[code];
  return typeof known === "object" ? (known[command] ?? known["default"]) : known;
}
