import type { Reference } from "./reference.ts";
import type { SecretName } from "./secret-name.ts";
import type { FoundSecret } from "./secret-source.ts";

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
  lookup(reference: Reference & { readonly root: "secrets" }): unknown;

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
