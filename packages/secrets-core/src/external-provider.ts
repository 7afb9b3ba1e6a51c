import type { SecretAnswer } from "./secret-source.ts";
import type { Timestamp } from "./time.ts";

/** How long one call may take. */
export interface CallLimits {
  /** Aborted when the time is over, or when nobody waits for the answer any longer. */
  readonly signal: AbortSignal;
  /** When the time is over, in milliseconds since 1970. */
  readonly deadline: number;
}

/** What a provider is asked for. */
export interface ProviderRequest {
  /** Where it is: what a name is bound to, or what the provider's `path` makes of the name. Comes from people: to be encoded. */
  readonly path: string;
  /** Default: the newest one. */
  readonly version?: string | undefined;
  /** `text`: nothing may be taken off the value, not even a newline at its end. */
  readonly format: "json" | "text";
}

/** What a provider has found. */
export interface ProvidedSecret {
  /** A text, or the fields by name. Numbers that would lose digits are texts; what is nested may be left as it is. */
  readonly value: string | Readonly<Record<string, unknown>>;
  /** Default: it has none. */
  readonly version?: string | undefined;
  /** Default: it does not expire. */
  readonly expiresAt?: Timestamp | null | undefined;
}

/** What a provider can answer. */
export type ProviderAnswer = SecretAnswer<ProvidedSecret>;

/** What a provider can do beside looking up the newest version of a secret. */
export interface ProviderCapabilities {
  readonly versions: boolean;
  readonly leases: boolean;
}

/** What a provider says of our login. */
export interface ProviderStatus {
  /** As whom it knows us. Default: it does not say. */
  readonly account?: string | undefined;
  /** When the login ends by itself. Default: never, or it does not say. */
  readonly expiresAt?: Timestamp | undefined;
}

/** Secrets that somebody else keeps: Vault, a cloud, a folder, a program. */
export interface ExternalSecretProvider {
  /** As it is configured: `vault`, `vault-eu`. */
  readonly id: string;
  /** `vault`, `aws-secrets-manager`, … */
  readonly type: string;
  readonly capabilities: ProviderCapabilities;
  /** How long a lookup usually may take. Default: 5 */
  readonly timeoutSeconds?: number | undefined;
  /** Never throws for what others do; texts of an answer hold no value, no token and no body of a response. */
  lookup(request: ProviderRequest, limits: CallLimits): Promise<ProviderAnswer>;
  /** Several at once, for providers that can do it in fewer calls. The answers are in the order of the requests. */
  lookupMany?(requests: readonly ProviderRequest[], limits: CallLimits): Promise<readonly ProviderAnswer[]>;
  /** For providers that make credentials. */
  readonly leases?: ProviderLeases | undefined;
  /** Whether it can be reached and takes our login; asks for no secret. */
  check(limits: CallLimits): Promise<SecretAnswer<ProviderStatus>>;
  /** Ends its connections and gives back its login. */
  close(): Promise<void>;
}

/** Something that ends by itself unless it is renewed: credentials, or the login that made them. */
export interface Lease {
  readonly id: string;
  readonly expiresAt: Timestamp;
}

/** Credentials that a provider makes. */
export interface ProviderLeases {
  /** Whether it would make them; makes none. */
  canCreate(path: string, limits: CallLimits): Promise<SecretAnswer<null>>;
  /** Logs in for one run: what is made with a login ends with it. */
  open(limits: CallLimits): Promise<SecretAnswer<LeaseSession>>;
}

/** The credentials of one run, made with a login of its own. */
export interface LeaseSession {
  /** The login, to be renewed and revoked like what was made with it; null where it is not ours to give back. */
  readonly login: Lease | null;
  create(
    path: string,
    seconds: number,
    limits: CallLimits,
  ): Promise<SecretAnswer<ProvidedSecret & { readonly lease: Lease }>>;
  /** Gives the new end, which can be the old one where no longer time is allowed. */
  renew(lease: Lease, seconds: number, limits: CallLimits): Promise<SecretAnswer<Lease>>;
  revoke(lease: Lease, limits: CallLimits): Promise<SecretAnswer<null>>;
}
