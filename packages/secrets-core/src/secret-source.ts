import type { FieldFlags, SecretMetadata } from "./secret.ts";
import type { SecretName } from "./secret-name.ts";
import type { SecretFields, SecretType } from "./secret-type.ts";
import type { Reference } from "./template.ts";

/** A value that a source has found. */
export interface FoundSecret {
  readonly type: SecretType;
  readonly fields: SecretFields;
  readonly expiresAt: SecretMetadata["expiresAt"];
  /** Which fields are not as secret as their type says. Default: none. */
  readonly flags?: FieldFlags | undefined;
}

/**
 * What a source can answer. Only `absent` lets the next source be asked: an outage, a refusal or a broken answer must not
 * put another value in the place of the right one.
 */
export type SourceAnswer =
  | { readonly status: "found"; readonly secret: FoundSecret }
  | {
      readonly status: "absent";
      /** What is known of it all the same, as a sentence. */
      readonly hint?: string | undefined;
    }
  | { readonly status: "unavailable" | "denied" | "malformed"; readonly reason: string };

/** "What is the value of NAME?" */
export interface SecretSource {
  /** `store`, `environment`, …: for messages. */
  readonly id: string;
  /** `reason` in the answer holds no value and no token. May throw an AutokestraError, which ends the resolution. */
  lookup(name: SecretName): Promise<SourceAnswer>;
}

/** A declared secret and where its value came from. */
export interface ResolvedSecret extends FoundSecret {
  readonly name: SecretName;
  /** The id of the {@link SecretSource} that had it. */
  readonly source: string;
}

/** The secrets of one execution: those it declares, all of them, and nothing else. */
export interface SecretScope {
  /** Every declared secret, in the order of the declaration. */
  readonly secrets: readonly ResolvedSecret[];

  /**
   * The value of one reference: the field, or the primary value, or the object of all fields.
   *
   * @throws AutokestraError `SECRET_NOT_DECLARED`, `FIELD_NOT_FOUND`
   */
  lookup(reference: Reference & { readonly root: "secrets" }): Promise<unknown>;

  /** Drops all values. */
  close(): void;
}

/** References -> values, within a declared scope. */
export interface SecretResolver {
  /**
   * Finds every declared secret, before anything runs.
   *
   * @throws AutokestraError `NAME_INVALID`; `SECRETS_MISSING` with all missing names; `SOURCE_FAILED` where a source is
   * unavailable, denies, or answers nonsense
   */
  openScope(declared: readonly string[]): Promise<SecretScope>;
}
