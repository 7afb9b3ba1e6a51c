import type { FieldFlags, SecretMetadata } from "./secret.ts";
import type { SecretName } from "./secret-name.ts";
import type { SecretFields, SecretType } from "./secret-type.ts";
import type { Reference } from "./template.ts";
import type { Timestamp } from "./time.ts";

/** Of the WHATWG, in all that runs JavaScript: core has the types of no platform. */
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
  /** Which fields are not as secret as their type says. Default: none. */
  readonly flags?: FieldFlags | undefined;
  /** As its source counts versions. Default: not known. */
  readonly version?: string | undefined;
  /** How old the value is, where its source is unavailable and a value of before is used. Default: it is of now. */
  readonly staleSeconds?: number | undefined;
}

/** It is not there. */
export interface NotFound {
  readonly status: "notFound";
  /** What is known of it all the same, as a sentence: that it is deleted, where it was looked for. */
  readonly reason?: string | undefined;
  /** It was deleted, and can be restored until then. */
  readonly restorableUntil?: Timestamp | undefined;
}

/** The source could not tell: an outage, a refusal, or an answer that is not what was promised. */
export interface SourceFailure {
  readonly status: "unavailable" | "denied" | "malformed";
  /** A clause that holds no value and no token. */
  readonly reason: string;
  /** What to do about it, as one sentence. */
  readonly hint?: string | undefined;
  /** The source used up its time. Default: false. */
  readonly timedOut?: boolean | undefined;
}

/** What a source or a provider can answer. */
export type SecretAnswer<Secret> = { readonly status: "found"; readonly secret: Secret } | NotFound | SourceFailure;

/** What a source can answer. */
export type SourceAnswer = SecretAnswer<FoundSecret>;

/** Where the value of one name is, whatever the order of the sources. */
export interface SecretBinding {
  /** The id of the source that is asked. */
  readonly source: string;
  /** Where it is there: a path, or an id. Default: the name. */
  readonly path?: string | undefined;
  /** Default: the newest one. */
  readonly version?: string | undefined;
  /** The one field that is taken, as a value of its own. Default: all of it. */
  readonly field?: string | undefined;
  /** The field of the source for each field of the type. Default: they have the same names. */
  readonly fields?: Readonly<Record<string, string>> | undefined;
  /** Default: `custom` for an object, `apiKey` for a text. */
  readonly type?: SecretType | undefined;
  /** `text`: as it stands, byte for byte. Default: that of the source. */
  readonly format?: "json" | "text" | undefined;
  /** The path of credentials that are made for one run. Default: none. */
  readonly lease?: string | undefined;
  /** The id of the source that is asked where this one does not have it. Default: none; then it is missing. */
  readonly fallback?: string | undefined;
}

/** What a lookup needs beside the name. */
export interface LookupOptions {
  /** Ends the lookup, which then answers `unavailable`. Default: nothing does. */
  readonly signal?: AbortSignal | undefined;
  /** Default: the name is bound to nothing. */
  readonly binding?: SecretBinding | undefined;
}

/** How an outside source may be replaced by another. */
export interface SourcePolicy {
  /** `fallback`: the next source is asked. `fail`: the resolution ends. */
  readonly onUnavailable: "fallback" | "fail";
  readonly onDenied: "fallback" | "fail";
}

/** "What is the value of NAME?" */
export interface SecretSource {
  /** `store`, `environment`, …: for messages. */
  readonly id: string;
  /** For sources outside of this machine. Default: it is local, and all that it does not answer ends the resolution. */
  readonly policy?: SourcePolicy | undefined;
  /** `reason` in the answer holds no value and no token. May throw an AutokestraError, which ends the resolution. */
  lookup(name: SecretName, options?: LookupOptions): Promise<SourceAnswer>;
  /** For sources that make credentials. Default: it makes none. */
  readonly leases?: SourceLeases | undefined;
}

/** Credentials that a source makes for one run. */
export interface SourceLeases {
  /** Whether it could make them; makes none. */
  canCreate(binding: SecretBinding, signal?: AbortSignal): Promise<SecretAnswer<null>>;
  /** @param seconds how long credentials last unless they are renewed */
  open(seconds: number, onEvent: (event: LeaseEvent) => void): RunLeases;
}

/** The credentials that one source has made for one run. */
export interface RunLeases {
  /** @param binding names what they are made from as its `lease` */
  create(name: SecretName, binding: SecretBinding, signal?: AbortSignal): Promise<SourceAnswer>;
  /** Gives all of them back. Waits 5 s at most, and no longer once the signal is aborted. */
  close(signal?: AbortSignal): Promise<void>;
}

/** What happens to credentials that were made for a run. Holds no value. */
export interface LeaseEvent {
  readonly type: "created" | "renewed" | "renewalFailed" | "ending" | "revoked" | "revocationFailed";
  /** The id of the source that made them. */
  readonly source: string;
  /** What they were made from; null for the login. */
  readonly path: string | null;
  /** When they end by themselves. */
  readonly expiresAt: Timestamp;
  readonly reason?: string | undefined;
}

/** A declared secret and where its value came from. */
export interface ResolvedSecret extends FoundSecret {
  readonly name: SecretName;
  /** The id of the {@link SecretSource} that had it. */
  readonly source: string;
}

/** A source that was asked, failed, and was replaced by another. */
export interface SourceFallback extends Pick<SourceFailure, "status" | "reason"> {
  readonly source: string;
  readonly names: readonly SecretName[];
}

/** The secrets of one execution: those it declares, all of them, and nothing else. */
export interface SecretScope {
  /** Every declared secret, in the order of the declaration. */
  readonly secrets: readonly ResolvedSecret[];

  /** Sources that failed and were replaced by others: for people to know, and for the record of the run. */
  readonly fallbacks: readonly SourceFallback[];

  /**
   * The value of one reference: the field, or the primary value, or the object of all fields.
   *
   * @throws AutokestraError `SECRET_NOT_DECLARED`, `FIELD_NOT_FOUND`
   */
  lookup(reference: Reference & { readonly root: "secrets" }): Promise<unknown>;

  /**
   * Drops all values at once, and gives back the credentials that were made for it. Waits 5 s at most, and no longer once the signal is
   * aborted. Closing it again does nothing more.
   */
  close(signal?: AbortSignal): Promise<void>;
}

export interface ScopeOptions {
  /** Ends the resolution. Default: nothing does. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Credentials that are bound to a lease are made for this scope, and given back when it is closed. Default: none are made; it is
   * asked whether they could be, and they are not among the secrets.
   */
  readonly leases?: { readonly seconds: number; readonly onEvent: (event: LeaseEvent) => void } | undefined;
}

/** What one source has answered, for people who ask where a value comes from. */
export interface AskedSource {
  readonly source: string;
  readonly status: SourceAnswer["status"];
  readonly reason?: string | undefined;
  /** It was deleted there, and can be restored until then. */
  readonly restorableUntil?: Timestamp | undefined;
  readonly milliseconds: number;
}

/** Where the value of a name would come from; never the value. */
export interface Explanation {
  readonly name: SecretName;
  /** Default: it is bound to nothing. */
  readonly binding?: SecretBinding | undefined;
  /** The sources that were asked, in their order. */
  readonly asked: readonly AskedSource[];
  /** The id of the source that it would be taken from, or null where a run would not start. */
  readonly source: string | null;
}

/** References -> values, within a declared scope. */
export interface SecretResolver {
  /**
   * Finds every declared secret, before anything runs.
   *
   * @throws AutokestraError `NAME_INVALID`; `SECRETS_MISSING` with all missing names; `SOURCE_FAILED` where a source is
   * unavailable, denies, or answers nonsense
   */
  openScope(declared: readonly string[], options?: ScopeOptions): Promise<SecretScope>;

  /**
   * Asks for one name as a run would, and says what each source has answered. Makes no credentials.
   *
   * @throws AutokestraError `NAME_INVALID`, and what a source throws
   */
  explain(name: string, options?: Pick<ScopeOptions, "signal">): Promise<Explanation>;
}
