import type { FieldFlags, SecretMetadata } from "./secret.ts";
import type { SecretName } from "./secret-name.ts";
import type { SecretFields, SecretType } from "./secret-type.ts";

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
