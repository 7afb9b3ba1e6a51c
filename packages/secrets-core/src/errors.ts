/** Names that are not there. */
interface Names {
  readonly names: readonly string[];
}

/** Nothing beside the message. */
type None = object;

/**
 * Every way autokestra can say no, with what is known of it as data: for applications that say what to do about it in their own words.
 * A package adds the codes that it owns to this interface.
 */
export interface ErrorDetails {
  NAME_INVALID: None;
  VALUE_EMPTY: None;
  VALUE_INVALID: None;
  /** An option of a function that is none of the possible ones. */
  OPTION_INVALID: None;
  REFERENCE_INVALID: None;
  SECRET_NOT_FOUND: Names;
  SECRET_EXISTS: None;
  /** `until` is when it can no longer be restored, ISO 8601. */
  SECRET_DELETED: Names & { readonly until: string };
  SECRET_NOT_DECLARED: None;
  /** `restorable` are those of the names that were deleted and can be restored. */
  SECRETS_MISSING: Names & { readonly restorable: readonly string[] };
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
  /** `driver` is the one that was asked for. */
  STORE_UNAVAILABLE: {
    readonly reason?: "no store yet" | "another driver" | "two stores" | "no such ability";
    readonly driver?: string;
  };
  STORE_CORRUPT: { readonly reason?: "store not found" | "secret damaged" };
  STORE_TOO_NEW: None;
  STORE_ROLLED_BACK: None;
  /** `source` is the id of the one that failed. */
  SOURCE_FAILED: Names & { readonly source: string; readonly status: "unavailable" | "denied" | "malformed" };
}

/** The codes of all packages that are imported. */
export type ErrorCode = keyof ErrorDetails;

export interface AutokestraErrorOptions {
  /** What the reader can do about it, as one sentence. Libraries name no command and no option of a command. */
  readonly hint?: string | undefined;
  /** What is known of it as data: those of its code in {@link ErrorDetails}. Default: nothing. */
  readonly details?: object | undefined;
}

/**
 * The one error class of autokestra. `message` says what happened and to which name, `hint` what to do next. Neither ever
 * holds a value or a key, and there is no `cause`: an error of a library can carry both.
 */
export class AutokestraError extends Error {
  override readonly name = "AutokestraError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  /** {@link hasCode} tells the type. */
  readonly details: object;

  constructor(code: ErrorCode, message: string, options: AutokestraErrorOptions = {}) {
    super(message);
    this.code = code;
    this.hint = options.hint;
    this.details = options.details ?? {};
  }
}

/** An error of a code that is known. */
export type ErrorOf<Code extends ErrorCode> = AutokestraError & {
  readonly code: Code;
  readonly details: Partial<ErrorDetails[Code]>;
};

/** True for an error of ours with one of these codes. */
export function hasCode<Code extends ErrorCode>(error: unknown, ...codes: readonly Code[]): error is ErrorOf<Code> {
  return error instanceof AutokestraError && codes.some((code) => code === error.code);
}

/** The code of an error of the file system or of a library, such as `ENOENT`; empty where it has none. */
export function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/** Text from outside, fit for one line of a message: control and invisible characters escaped, cut at 80 characters. */
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
 * @param until when it can no longer be restored, ISO 8601
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
      hint: "Only the newest versions are kept: WORKFLOW_SECRETS_KEEP_VERSIONS says how many, 10 unless told.",
    },
  );
}

/** `Secret 'NAME' not declared in workflow` */
export function secretNotDeclared(name: string): AutokestraError {
  return new AutokestraError("SECRET_NOT_DECLARED", `Secret '${quoteText(name)}' not declared in workflow`, {
    hint: `Add ${quoteText(name)} to the \`secrets:\` list of the workflow.`,
  });
}

/** So many sentences about missing secrets: a long list of names is one mistake. */
const SHOWN_REASONS = 6;

/**
 * `Missing secrets: A, B`
 *
 * @param reasons what the sources know of them: that one is deleted, where it was looked for
 * @param restorable those of the names that were deleted and can be restored
 */
export function secretsMissing(
  names: readonly string[],
  reasons: readonly string[] = [],
  restorable: readonly string[] = [],
): AutokestraError {
  return new AutokestraError("SECRETS_MISSING", `Missing secrets: ${names.map(quoteText).join(", ")}`, {
    hint: reasons.slice(0, SHOWN_REASONS).join(" ") || undefined,
    details: { names, restorable } satisfies ErrorDetails["SECRETS_MISSING"],
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

/** A record that does not open although the key is right, or whose metadata are not what was written last. */
export function integrityFailed(name: string): AutokestraError {
  return new AutokestraError("INTEGRITY_FAILED", `Secret '${quoteText(name)}' cannot be opened`, {
    hint: "Its record was changed outside of autokestra. Restore it from a backup, or remove it for good and set it again.",
  });
}

/** A store that cannot be reached: locked, no space, no permission, not private. */
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

/** What every method of a closed store throws. */
export function storeClosed(): AutokestraError {
  return new AutokestraError("STORE_UNAVAILABLE", "The secret store is closed");
}

/** A store whose content is not what a store writes. */
export function storeCorrupt(path: string, reason: string): AutokestraError {
  return new AutokestraError("STORE_CORRUPT", `Secret store ${quotePath(path)} cannot be read: ${reason}`, {
    hint: "Restore it from a backup, or move it away to begin with an empty store.",
  });
}

/**
 * A store that a newer version of autokestra has written.
 *
 * @param layout what `found` and `newest` count
 */
export function storeTooNew(path: string, layout: "format" | "schema", found: number, newest: number): AutokestraError {
  return new AutokestraError("STORE_TOO_NEW", `Secret store ${quotePath(path)} has ${layout} ${found}`, {
    hint: `This version of autokestra knows ${layout}s up to ${newest}: use a newer one. Nothing was changed.`,
  });
}

/** One secret whose record is not what a store writes. */
export function secretCorrupt(path: string, name: string): AutokestraError {
  return new AutokestraError("STORE_CORRUPT", `Secret '${quoteText(name)}' is damaged in ${quotePath(path)}`, {
    hint: "Restore the store from a backup, or remove the secret for good and set it again.",
    details: { reason: "secret damaged" } satisfies ErrorDetails["STORE_CORRUPT"],
  });
}

/** The whole path, on one line. */
export function quotePath(path: string): string {
  return JSON.stringify(path);
}

/** `1 secret`, `2 secrets` */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
