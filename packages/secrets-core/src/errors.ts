/**
 * Every way autokestra can say no. The union is closed: a `switch` over it is checked by the compiler, and the command
 * line maps each code to one exit code.
 */
export type ErrorCode =
  | "NAME_INVALID"
  | "VALUE_EMPTY"
  | "VALUE_INVALID"
  | "REFERENCE_INVALID"
  | "SECRET_NOT_FOUND"
  | "SECRET_EXISTS"
  | "SECRET_DELETED"
  | "SECRET_NOT_DECLARED"
  | "SECRETS_MISSING"
  | "SECRETS_MASKED"
  | "SECRET_EXPIRED"
  | "FIELD_NOT_FOUND"
  | "VERSION_CONFLICT"
  | "VERSION_NOT_FOUND"
  | "HEADER_CHANGED"
  | "KEY_INVALID"
  | "KEY_MISSING"
  | "KEY_WRONG"
  | "KEY_UNREADABLE"
  | "KEY_UNAVAILABLE"
  | "DATA_KEY_IN_USE"
  | "INTEGRITY_FAILED"
  | "STORE_UNAVAILABLE"
  | "STORE_CORRUPT"
  | "STORE_TOO_NEW"
  | "STORE_ROLLED_BACK"
  | "SOURCE_FAILED"
  | "HISTORY_UNAVAILABLE"
  | "RUN_NOT_FOUND"
  | "WORKFLOW_NOT_FOUND"
  | "WORKFLOW_INVALID"
  | "WORKFLOW_DISABLED"
  | "INPUT_INVALID"
  | "USAGE";

export interface AutokestraErrorOptions {
  /** What the reader can do about it, as one sentence or a command. */
  readonly hint?: string | undefined;
  /** The names that it is about, where it is about names that are not there. */
  readonly names?: readonly string[] | undefined;
}

/**
 * The one error class of autokestra. `message` says what happened and to which name, `hint` what to do next. Neither ever
 * holds a value or a key, and there is no `cause`: an error of a library can carry both.
 */
export class AutokestraError extends Error {
  override readonly name = "AutokestraError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly names: readonly string[];

  constructor(code: ErrorCode, message: string, options: AutokestraErrorOptions = {}) {
    super(message);
    this.code = code;
    this.hint = options.hint;
    this.names = options.names ?? [];
  }
}

/** True for an error of ours with one of these codes. */
export function hasCode(error: unknown, ...codes: readonly ErrorCode[]): error is AutokestraError {
  return error instanceof AutokestraError && codes.includes(error.code);
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
    hint: "`autokestra secrets list` shows the names there are.",
    names: [name],
  });
}

/**
 * `Secret 'NAME' is deleted`
 *
 * @param until when it can no longer be restored, ISO 8601
 */
export function secretDeleted(name: string, until: string): AutokestraError {
  return new AutokestraError("SECRET_DELETED", `Secret '${quoteText(name)}' is deleted`, {
    hint: `\`autokestra secrets restore ${quoteText(name)}\` brings it back until ${until}; \`secrets delete ${quoteText(name)} --purge\` removes it for good.`,
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
const SHOWN_HINTS = 6;

/**
 * `Missing secrets: A, B`
 *
 * @param hints what the sources know of them: that one is deleted, where it was looked for
 */
export function secretsMissing(names: readonly string[], hints: readonly string[] = []): AutokestraError {
  return new AutokestraError("SECRETS_MISSING", `Missing secrets: ${names.map(quoteText).join(", ")}`, {
    hint: hints.slice(0, SHOWN_HINTS).join(" ") || undefined,
    names,
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
export function storeUnavailable(path: string, reason: string, hint?: string): AutokestraError {
  return new AutokestraError("STORE_UNAVAILABLE", `Secret store ${quotePath(path)} cannot be used: ${reason}`, {
    hint,
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
    hint: "Restore the store from a backup, or remove the secret with `secrets delete NAME --purge` and set it again.",
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
