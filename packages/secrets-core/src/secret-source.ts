import type { Reference } from "./reference.ts";
import type { FieldFlags, SecretMetadata } from "./secret.ts";
import type { SecretName } from "./secret-name.ts";
import type { SecretAllow } from "./secret-policy.ts";
import type { SecretFields, SecretType } from "./secret-type.ts";
import type { Timestamp } from "./time.ts";

/** A standard of the WHATWG that every runtime has. Core includes the types of no platform. */
declare global {
  interface AbortSignal {
    readonly aborted: boolean;
  }
}

/** A value that a source has found. */
export interface FoundSecret {
  readonly type: SecretType;
  readonly fields: SecretFields;
  readonly expiresAt: SecretMetadata["expiresAt"];
  /** The fields that are treated differently than their type says. Default: none. */
  readonly flags?: FieldFlags | undefined;
  /** Who may use it. Default: everybody. */
  readonly allow?: SecretAllow | undefined;
  /** The version, as the source writes it. Default: not known. */
  readonly version?: string | undefined;
  /**
   * The age of a cached value that is used because the source is unavailable, in seconds. Default: the value is fresh.
   */
  readonly staleSeconds?: number | undefined;
}

/** The source does not have the secret. */
export interface NotFound {
  readonly status: "notFound";
  /** What else is known, as a sentence: that it is deleted, where it was looked for. Default: nothing. */
  readonly reason?: string | undefined;
  /** When it is deleted: it can be restored until then. Default: it is not deleted. */
  readonly retainedUntil?: Timestamp | undefined;
}

/** The source could not answer: an outage, a refusal, or a response that makes no sense. */
export interface SourceFailure {
  readonly status: "unavailable" | "denied" | "malformed";
  /** What happened, as a clause. It contains no value and no token. */
  readonly reason: string;
  /** What to do about it, as one sentence. Default: nothing. */
  readonly hint?: string | undefined;
  /** True if the time limit was reached. Default: false. */
  readonly timedOut?: boolean | undefined;
}

/** The answer of a source or a provider. */
export type SecretAnswer<Secret> = { readonly status: "found"; readonly secret: Secret } | NotFound | SourceFailure;

/** The answer of a source. */
export type SourceAnswer = SecretAnswer<FoundSecret>;

/** Binds a name to one source. The order of the sources then does not matter for this name. */
export interface SecretBinding {
  /** The id of the source. */
  readonly source: string;
  /** The path or the id of the secret in the source. Default: the name. */
  readonly path?: string | undefined;
  /** The version to read. Default: the newest one. */
  readonly version?: string | undefined;
  /** The only field to use, as a value of its own. Default: all fields. */
  readonly field?: string | undefined;
  /** The field of the source for each field of the type. Default: they have the same names. */
  readonly fields?: Readonly<Record<string, string>> | undefined;
  /** Default: `custom` for an object, `apiKey` for a text. */
  readonly type?: SecretType | undefined;
  /** `text`: use the value unchanged. Default: the format of the source. */
  readonly format?: "json" | "text" | undefined;
  /** The path of credentials that are created for one run. Default: none. */
  readonly lease?: string | undefined;
  /** The id of the source to ask if this one does not have the secret. Default: none. */
  readonly fallback?: string | undefined;
}

/** Options of a lookup. */
export interface LookupOptions {
  /** Aborts the lookup, which then answers `unavailable`. Default: none. */
  readonly signal?: AbortSignal | undefined;
  /** Default: the name is not bound. */
  readonly binding?: SecretBinding | undefined;
}

/** What happens if an external source fails. */
export interface SourcePolicy {
  /** `fallback`: the next source is asked. `fail`: the resolution ends. */
  readonly onUnavailable: "fallback" | "fail";
  readonly onDenied: "fallback" | "fail";
}

/**
 * Answers the question: what is the value of NAME? `createSecretResolver` of `@autokestra/secrets-resolver` asks
 * sources in their order.
 *
 * @example
 * ```ts
 * import { parseSecretName, type SecretSource } from "@autokestra/secrets-core";
 *
 * const tokens = new Map([["DEMO_TOKEN", "demo-token"]]);
 * const source: SecretSource = {
 *   id: "demo",
 *   async lookup(name) {
 *     const value = tokens.get(name);
 *     if (value === undefined) return { status: "notFound" };
 *     return { status: "found", secret: { type: "apiKey", fields: { value }, expiresAt: null } };
 *   },
 * };
 * console.log((await source.lookup(parseSecretName("DEMO_TOKEN"))).status); // prints found
 * ```
 */
export interface SecretSource {
  /** The name of the source in messages, such as `store` or `environment`. */
  readonly id: string;
  /** For external sources. Default: the source is local, and every failure ends the resolution. */
  readonly policy?: SourcePolicy | undefined;
  /**
   * Looks up one secret. The reason of an answer contains no value and no token. An AutokestraError that it throws ends
   * the resolution.
   */
  lookup(name: SecretName, options?: LookupOptions): Promise<SourceAnswer>;
  /** Creates credentials for one run. Default: not supported. */
  readonly leases?: SourceLeases | undefined;
}

/** Creates credentials that last for one run. */
export interface SourceLeases {
  /** Checks whether it could create these credentials, without creating them. */
  canCreate(binding: SecretBinding, signal?: AbortSignal): Promise<SecretAnswer<null>>;
  /**
   * Begins the credentials of one run.
   *
   * @param seconds how long credentials last unless they are renewed
   */
  open(seconds: number, onEvent: (event: LeaseEvent) => void): RunLeases;
}

/** The credentials that one source creates for one run. */
export interface RunLeases {
  /**
   * Creates credentials.
   *
   * @param binding its `lease` is the path of the credentials
   */
  create(name: SecretName, binding: SecretBinding, signal?: AbortSignal): Promise<SourceAnswer>;
  /** Revokes all of them. Waits up to 5 s, or until the signal is aborted. */
  close(signal?: AbortSignal): Promise<void>;
}

/** Something that has happened to the credentials of a run. Contains no value. */
export interface LeaseEvent {
  readonly type: "created" | "renewed" | "renewalFailed" | "ending" | "revoked" | "revocationFailed";
  /** The id of the source that created them. */
  readonly source: string;
  /** The path of the credentials; null for the login. */
  readonly path: string | null;
  /** When they expire. */
  readonly expiresAt: Timestamp;
  readonly reason?: string | undefined;
}

/** A declared secret with its value and its source. */
export interface ResolvedSecret extends FoundSecret {
  readonly name: SecretName;
  /** The id of the {@link SecretSource} that had it. */
  readonly source: string;
  /** What binds it to this source. Default: it is not bound, or another source had it. */
  readonly binding?: SecretBinding | undefined;
}

/** A source that failed, so that the next one was asked instead. */
export interface SourceFallback extends Pick<SourceFailure, "status" | "reason"> {
  readonly source: string;
  readonly names: readonly SecretName[];
}

/** The secrets of one run: exactly those that its workflow declares. */
export interface SecretScope {
  /** All declared secrets, in the order of their declaration. */
  readonly secrets: readonly ResolvedSecret[];

  /** The sources that failed and were replaced by others. */
  readonly fallbacks: readonly SourceFallback[];

  /**
   * Returns the value of a reference: of its field, or else the single value of the secret, or else all fields as an
   * object.
   *
   * @throws AutokestraError `SECRET_NOT_DECLARED`, `FIELD_NOT_FOUND`
   */
  lookup(reference: Reference & { readonly root: "secrets" }): Promise<unknown>;

  /**
   * Drops all values immediately, then revokes the credentials that were created for the run. Waits up to 5 s, or until
   * the signal is aborted. Closing it again does nothing more.
   */
  close(signal?: AbortSignal): Promise<void>;
}

export interface ScopeOptions {
  /** Aborts the resolution. Default: none. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Create the credentials of bindings with a `lease`, and revoke them when the scope is closed. Default: create none;
   * the sources are only asked whether they could, and these names are not among the secrets of the scope.
   */
  readonly leases?: { readonly seconds: number; readonly onEvent: (event: LeaseEvent) => void } | undefined;
}

/** The answer of one source, for people who want to know where a value comes from. */
export interface AskedSource {
  readonly source: string;
  readonly status: SourceAnswer["status"];
  readonly reason?: string | undefined;
  /** When it is deleted there: it can be restored until then. */
  readonly retainedUntil?: Timestamp | undefined;
  readonly milliseconds: number;
}

/** Where the value of a name would come from. Never contains the value. */
export interface Explanation {
  readonly name: SecretName;
  /** Default: the name is not bound. */
  readonly binding?: SecretBinding | undefined;
  /** The sources that were asked, in order. */
  readonly asked: readonly AskedSource[];
  /** The id of the source that would be used; null if a run would not start. */
  readonly source: string | null;
}

/** Finds the secrets that a workflow declares. `createSecretResolver` of `@autokestra/secrets-resolver` creates one. */
export interface SecretResolver {
  /**
   * Finds all declared secrets, before anything runs. Close the scope at the end of the run.
   *
   * @throws AutokestraError `NAME_INVALID`; `SECRETS_MISSING` with all names that were not found; `SOURCE_FAILED` if a
   * source is unavailable, denies access or gives a malformed answer
   */
  openScope(declared: readonly string[], options?: ScopeOptions): Promise<SecretScope>;

  /**
   * Looks up one name as a run would, and returns what each source has answered. Creates no credentials.
   *
   * @throws AutokestraError `NAME_INVALID`, and what a source throws
   */
  explain(name: string, options?: Pick<ScopeOptions, "signal">): Promise<Explanation>;
}
