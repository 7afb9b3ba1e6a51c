/** The names of the secrets that the error is about. */
interface Names {
  readonly names: readonly string[];
}

/** No data besides the message. */
type None = object;

/**
 * Every error code with its data, for applications that tell people in their own words what to do. A package adds its
 * own codes to this interface.
 */
export interface ErrorDetails {
  NAME_INVALID: None;
  VALUE_EMPTY: None;
  VALUE_INVALID: None;
  /** An option has a value that is not allowed. `reason`: a backup brings a master key, and another one is there. */
  OPTION_INVALID: { readonly reason?: "another key in place" };
  REFERENCE_INVALID: None;
  SECRET_NOT_FOUND: Names;
  SECRET_EXISTS: None;
  /** `until`: the secret can be restored until then. ISO 8601. */
  SECRET_DELETED: Names & { readonly until: string };
  SECRET_NOT_DECLARED: None;
  /** A rule of a secret does not allow its use. `rule`: which one. */
  SECRET_NOT_ALLOWED: Names & { readonly rule: "workflows" | "taskTypes" | "hosts" };
  /** `retained`: the names that were deleted and can still be restored. */
  SECRETS_MISSING: Names & { readonly retained: readonly string[] };
  FIELD_NOT_FOUND: None;
  VERSION_CONFLICT: None;
  VERSION_NOT_FOUND: None;
  HEADER_CHANGED: None;
  KEY_INVALID: None;
  KEY_MISSING: None;
  KEY_WRONG: None;
  KEY_UNREADABLE: None;
  KEY_UNAVAILABLE: None;
  DATA_KEY_IN_USE: None;
  INTEGRITY_FAILED: None;
  /** `driver`: the requested one. */
  STORE_UNAVAILABLE: {
    readonly reason?: "no store yet" | "another driver" | "two stores" | "no such ability";
    readonly driver?: string;
  };
  STORE_CORRUPT: { readonly reason?: "store not found" | "secret damaged" };
  STORE_TOO_NEW: None;
  STORE_ROLLED_BACK: None;
  /** `source`: the id of the source that failed. */
  SOURCE_FAILED: Names & { readonly source: string; readonly status: "unavailable" | "denied" | "malformed" };
}

/** The codes of all packages that the program imports. */
export type ErrorCode = keyof ErrorDetails;

export interface AutokestraErrorOptions {
  /** What to do about it, as one sentence. Libraries name no command and no option of a command. Default: nothing. */
  readonly hint?: string | undefined;
  /** The data of its code in {@link ErrorDetails}. Default: none. */
  readonly details?: object | undefined;
}

/**
 * The error class of autokestra. `code` tells the errors apart, `message` says what happened and to which secret,
 * `hint` what to do next. None of them contains a value or a key. There is no `cause`, because an error of a library
 * can contain both.
 *
 * @example
 * ```ts
 * import { hasCode, parseSecretName } from "@autokestra/secrets-core";
 *
 * try {
 *   parseSecretName("DB PASSWORD");
 * } catch (error) {
 *   if (!hasCode(error, "NAME_INVALID")) throw error;
 *   console.log(error.message);
 *   // prints Invalid secret name 'DB PASSWORD': use letters, digits, underscore and hyphen
 * }
 * ```
 */
export class AutokestraError extends Error {
  override readonly name = "AutokestraError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  /** The data of the code. {@link hasCode} narrows its type. */
  readonly details: object;

  constructor(code: ErrorCode, message: string, options: AutokestraErrorOptions = {}) {
    super(message);
    this.code = code;
    this.hint = options.hint;
    this.details = options.details ?? {};
  }
}

/** An error with a known code. */
export type ErrorOf<Code extends ErrorCode> = AutokestraError & {
  readonly code: Code;
  readonly details: Partial<ErrorDetails[Code]>;
};

/** Tells whether a caught value is an {@link AutokestraError} with one of these codes. */
export function hasCode<Code extends ErrorCode>(error: unknown, ...codes: readonly Code[]): error is ErrorOf<Code> {
  return error instanceof AutokestraError && codes.some((code) => code === error.code);
}

/** Returns the code of an error of Node or of a library, such as `ENOENT`; an empty string if it has none. */
export function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/** Makes text from outside fit for one line of a message: escapes control and invisible characters, cuts it at 80. */
export function quoteText(text: string): string {
  const visible = text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => {
    const hex = character.codePointAt(0)?.toString(16) ?? "";
    return `\\u{${hex}}`;
  });
  return visible.length > 80 ? `${visible.slice(0, 80)}…` : visible;
}

/** `Secret 'NAME' not found` */
export function secretNotFound(name: string): AutokestraError {
  return new AutokestraError("SECRET_NOT_FOUND", `Secret '${quoteText(name)}' not found`, {
    details: { names: [name] } satisfies ErrorDetails["SECRET_NOT_FOUND"],
  });
}

/**
 * `Secret 'NAME' is deleted`
 *
 * @param until the secret can be restored until then, ISO 8601
 */
export function secretDeleted(name: string, until: string): AutokestraError {
  return new AutokestraError("SECRET_DELETED", `Secret '${quoteText(name)}' is deleted`, {
    hint: `It can be restored until ${until}.`,
    details: { names: [name], until } satisfies ErrorDetails["SECRET_DELETED"],
  });
}

/** `Secret 'NAME' has no version 7 (versions: 3, 2)` */
export function versionNotFound(name: string, version: number, versions: readonly number[]): AutokestraError {
  const kept = versions.join(", ");
  return new AutokestraError(
    "VERSION_NOT_FOUND",
    `Secret '${quoteText(name)}' has no version ${version} (versions: ${kept})`,
    {
      hint: "Only the newest versions are kept: WORKFLOW_SECRETS_KEEP_VERSIONS says how many (default: 10).",
    },
  );
}

/** `Secret 'NAME' not declared in workflow` */
export function secretNotDeclared(name: string): AutokestraError {
  return new AutokestraError("SECRET_NOT_DECLARED", `Secret '${quoteText(name)}' not declared in workflow`, {
    hint: `Add ${quoteText(name)} to the \`secrets:\` list of the workflow.`,
  });
}

/** The maximum number of reasons in one hint: many missing secrets usually have one cause. */
const SHOWN_REASONS = 6;

/**
 * `Missing secrets: A, B`
 *
 * @param reasons what the sources say about them, as sentences: that one is deleted, where they were looked for
 * @param retained the names that were deleted and can still be restored
 */
export function secretsMissing(
  names: readonly string[],
  reasons: readonly string[],
  retained: readonly string[],
): AutokestraError {
  return new AutokestraError("SECRETS_MISSING", `Missing secrets: ${names.map(quoteText).join(", ")}`, {
    hint: reasons.slice(0, SHOWN_REASONS).join(" ") || undefined,
    details: { names, retained } satisfies ErrorDetails["SECRETS_MISSING"],
  });
}

/** `Field 'F' not found in secret 'NAME' (fields: a, b)` */
export function fieldNotFound(field: string, name: string, fields: readonly string[]): AutokestraError {
  const known = fields.map(quoteText).join(", ");
  return new AutokestraError(
    "FIELD_NOT_FOUND",
    `Field '${quoteText(field)}' not found in secret '${quoteText(name)}' (fields: ${known})`,
  );
}

/** A record that cannot be decrypted although the key is right, or whose metadata are not authentic. */
export function integrityFailed(name: string): AutokestraError {
  return new AutokestraError("INTEGRITY_FAILED", `Secret '${quoteText(name)}' cannot be opened`, {
    hint: "Its record was changed outside of autokestra. Restore it from a backup, or remove it for good and set it again.",
  });
}

/** A store that cannot be used: locked, no space, no permission, not private. */
export function storeUnavailable(
  path: string,
  problem: string,
  hint?: string,
  details?: ErrorDetails["STORE_UNAVAILABLE"],
): AutokestraError {
  return new AutokestraError("STORE_UNAVAILABLE", `Secret store ${quotePath(path)} cannot be used: ${problem}`, {
    hint,
    details,
  });
}

/** Every method of a closed store throws it. */
export function storeClosed(): AutokestraError {
  return new AutokestraError("STORE_UNAVAILABLE", "The secret store is closed");
}

/** A store whose content no store has written. */
export function storeCorrupt(path: string, reason: string): AutokestraError {
  return new AutokestraError("STORE_CORRUPT", `Secret store ${quotePath(path)} cannot be read: ${reason}`, {
    hint: "Restore it from a backup, or move it away to begin with an empty store.",
  });
}

/**
 * A store that a newer version of autokestra has written.
 *
 * @param layout whether `found` and `newest` number formats or schemas
 */
export function storeTooNew(path: string, layout: "format" | "schema", found: number, newest: number): AutokestraError {
  return new AutokestraError("STORE_TOO_NEW", `Secret store ${quotePath(path)} has ${layout} ${found}`, {
    hint: `This version of autokestra knows ${layout}s up to ${newest}: use a newer one. Nothing was changed.`,
  });
}

/** One secret whose record no store has written. */
export function secretCorrupt(path: string, name: string): AutokestraError {
  return new AutokestraError("STORE_CORRUPT", `Secret '${quoteText(name)}' is damaged in ${quotePath(path)}`, {
    hint: "Restore the store from a backup, or remove the secret for good and set it again.",
    details: { reason: "secret damaged" } satisfies ErrorDetails["STORE_CORRUPT"],
  });
}

/** Quotes a path on one line, uncut. */
export function quotePath(path: string): string {
  return JSON.stringify(path);
}

/** `1 secret`, `2 secrets` */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
