import type { SecretAnswer } from "./secret-source.ts";
import type { Timestamp } from "./time.ts";

/** The time that one call may take. */
export interface CallLimits {
  /** Aborted when the time has passed, or when the answer is no longer needed. */
  readonly signal: AbortSignal;
  /** When the time has passed, in milliseconds since 1970. */
  readonly deadline: number;
}

/** A request for one secret of a provider. */
export interface ProviderRequest {
  /**
   * The path of the secret: the one that its name is bound to, or what the provider's option `path` makes of the name.
   * People write it, so a provider must encode it.
   */
  readonly path: string;
  /** Default: the newest one. */
  readonly version?: string | undefined;
  /** `text`: return the value unchanged, including a newline at its end. */
  readonly format: "json" | "text";
}

/** A secret that a provider has found. */
export interface ProvidedSecret {
  /** A text, or fields by name. A number that would lose digits is a text; a field may hold nested values. */
  readonly value: string | Readonly<Record<string, unknown>>;
  /** The version that was read. Default: the provider has no versions. */
  readonly version?: string | undefined;
  /** Default: never. */
  readonly expiresAt?: Timestamp | null | undefined;
}

/** The answer of a provider. */
export type ProviderAnswer = SecretAnswer<ProvidedSecret>;

/** What a provider can do besides looking up the newest version of a secret. */
export interface ProviderCapabilities {
  /** It can look up an older version. */
  readonly versions: boolean;
  /** It can create credentials for one run. */
  readonly leases: boolean;
}

/** What a provider says about our login. */
export interface ProviderStatus {
  /** The account that we are logged in as. Default: not known. */
  readonly account?: string | undefined;
  /** When the login expires. Default: never, or not known. */
  readonly expiresAt?: Timestamp | undefined;
}

/**
 * Looks up secrets that are kept elsewhere: in Vault, in a cloud, in a folder, by a program. `createProviderSource` of
 * `@autokestra/secrets-providers` makes a {@link SecretSource} of it.
 */
export interface ExternalSecretProvider {
  /** The name of this provider in the configuration, such as `vault-eu`. */
  readonly id: string;
  /** The type of provider, such as `vault` or `aws-secrets-manager`. */
  readonly type: string;
  readonly capabilities: ProviderCapabilities;
  /** The time limit of a lookup, in seconds. Default: 5. */
  readonly timeoutSeconds?: number | undefined;
  /**
   * Looks up one secret. A failure of the other side is an answer, not an exception. The texts of an answer contain no
   * value, no token and no response body.
   */
  lookup(request: ProviderRequest, limits: CallLimits): Promise<ProviderAnswer>;
  /**
   * Looks up several secrets in fewer calls. Returns the answers in the order of the requests. Default: not supported.
   */
  lookupMany?(requests: readonly ProviderRequest[], limits: CallLimits): Promise<readonly ProviderAnswer[]>;
  /** Creates credentials for one run. Default: not supported. */
  readonly leases?: ProviderLeases | undefined;
  /** Checks whether it can be reached and accepts our login. Asks for no secret. */
  check(limits: CallLimits): Promise<SecretAnswer<ProviderStatus>>;
  /** Closes its connections and revokes its login. */
  close(): Promise<void>;
}

/** Credentials, or the login that created them. They expire unless they are renewed. */
export interface Lease {
  readonly id: string;
  readonly expiresAt: Timestamp;
}

/** Creates credentials that last for one run. */
export interface ProviderLeases {
  /** Checks whether it would create these credentials, without creating them. */
  canCreate(path: string, limits: CallLimits): Promise<SecretAnswer<null>>;
  /** Logs in for one run. Credentials end with the login that created them. */
  open(limits: CallLimits): Promise<SecretAnswer<LeaseSession>>;
}

/** The credentials of one run, which are created with a login of their own. */
export interface LeaseSession {
  /** The login, which is renewed and revoked like the credentials; null if it is not ours to revoke. */
  readonly login: Lease | null;
  /** @param seconds how long the credentials last unless they are renewed */
  create(
    path: string,
    seconds: number,
    limits: CallLimits,
  ): Promise<SecretAnswer<ProvidedSecret & { readonly lease: Lease }>>;
  /** Returns the lease with its new expiry, which is the old one if the provider allows no more time. */
  renew(lease: Lease, seconds: number, limits: CallLimits): Promise<SecretAnswer<Lease>>;
  revoke(lease: Lease, limits: CallLimits): Promise<SecretAnswer<null>>;
}
