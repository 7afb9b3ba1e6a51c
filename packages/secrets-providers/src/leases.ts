import type {
  CallLimits,
  Lease,
  LeaseEvent,
  LeaseSession,
  ProvidedSecret,
  ProviderLeases,
  RunLeases,
  SecretAnswer,
  SecretBinding,
  SecretName,
  SourceAnswer,
  SourceFailure,
} from "@autokestra/secrets-core";
import { withinLimits } from "./limits.ts";

export interface RunLeasesOptions {
  /** The id of the source, for events. */
  readonly source: string;
  /** How long credentials last unless they are renewed, in seconds. */
  readonly seconds: number;
  readonly onEvent: (event: LeaseEvent) => void;
  /** The time limit of each call, in milliseconds. */
  readonly timeoutMs: number;
  readonly toSecret: (name: SecretName, binding: SecretBinding, secret: ProvidedSecret) => SourceAnswer;
}

/** The time limit for revoking all credentials, in milliseconds. The rest is left to expire. */
const CLOSE_MS = 5000;
/** The shortest pause before a renewal, in milliseconds. */
const MIN_PAUSE_MS = 1000;
/** The longest timer of Node, in milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Credentials, or the login that has created them. */
interface Held {
  lease: Lease;
  /** Null for the login. */
  readonly path: string | null;
  /** The duration that it got last, in milliseconds. */
  length: number;
  timer: NodeJS.Timeout | undefined;
}

/** The state of the credentials of one run. */
interface Holding extends RunLeasesOptions {
  readonly held: Set<Held>;
  /** Pending calls that create credentials. */
  readonly creating: Set<Promise<unknown>>;
  /** Why something could not be revoked. */
  readonly failures: Map<Held, SourceFailure>;
  closed: boolean;
}

/**
 * Manages the credentials of one run. Logs in before the first of them, because credentials end with the login that has
 * created them. Renews each after two thirds of its time, and revokes all of them at the end.
 */
export function openRunLeases(leases: ProviderLeases, options: RunLeasesOptions): RunLeases {
  const { timeoutMs, toSecret } = options;
  const holding: Holding = { ...options, held: new Set(), creating: new Set(), failures: new Map(), closed: false };
  let opening: Promise<SecretAnswer<LeaseSession>> | null = null;

  async function open(): Promise<SecretAnswer<LeaseSession>> {
    const answer = await withinLimits(timeoutMs, undefined, async (limits) => await leases.open(limits));
    if (answer.status === "found" && answer.secret.login !== null) {
      hold(holding, answer.secret, answer.secret.login, null);
    }
    return answer;
  }

  return {
    async create(name, binding, signal) {
      const { lease: path = "" } = binding;
      opening ??= open();
      const session = await opening;
      if (session.status !== "found") return session;
      const answer = await withinLimits(timeoutMs, signal, async (limits) => {
        const making = make(holding, session.secret, path, limits);
        holding.creating.add(making);
        return await making.finally(() => holding.creating.delete(making));
      });
      return answer.status === "found" ? toSecret(name, binding, answer.secret) : answer;
    },

    async close(signal) {
      holding.closed = true;
      for (const { timer } of holding.held) clearTimeout(timer);
      await withinLimits(CLOSE_MS, signal, async (limits) => {
        const session = await opening;
        await Promise.allSettled(holding.creating);
        if (session?.status === "found") await revokeAll(holding, session.secret, limits);
        return { status: "found", secret: null };
      });
      for (const item of holding.held) {
        tell(holding, "revocationFailed", item, holding.failures.get(item)?.reason ?? "no answer in time");
      }
      holding.held.clear();
    },
  };
}

function tell({ source, onEvent }: Holding, type: LeaseEvent["type"], { path, lease }: Held, reason?: string): void {
  onEvent({ type, source, path, expiresAt: lease.expiresAt, ...(reason !== undefined && { reason }) });
}

function hold(holding: Holding, session: LeaseSession, lease: Lease, path: string | null): void {
  const item: Held = { lease, path, length: timeLeft(lease), timer: undefined };
  holding.held.add(item);
  renewLater(holding, session, item);
  if (path !== null) tell(holding, "created", item);
}

/** Keeps what was created even if the caller no longer waits for it, because it must be revoked. */
async function make(
  holding: Holding,
  session: LeaseSession,
  path: string,
  limits: CallLimits,
): ReturnType<LeaseSession["create"]> {
  const answer = await session.create(path, holding.seconds, limits);
  if (answer.status === "found") hold(holding, session, answer.secret.lease, path);
  return answer;
}

function renewLater(holding: Holding, session: LeaseSession, item: Held): void {
  const left = timeLeft(item.lease);
  if (holding.closed || left <= 0) return;
  const ms = Math.min(Math.max((left * 2) / 3, MIN_PAUSE_MS), MAX_TIMER_MS);
  item.timer = setTimeout(() => void renew(holding, session, item), ms).unref();
}

async function renew(holding: Holding, session: LeaseSession, item: Held): Promise<void> {
  const { seconds, timeoutMs } = holding;
  const askedAt = Date.now();
  const answer = await withinLimits(
    timeoutMs,
    undefined,
    async (limits) => await session.renew(item.lease, seconds, limits),
  );
  if (holding.closed) return;
  if (answer.status !== "found") {
    tell(holding, "renewalFailed", item, answer.reason);
    renewLater(holding, session, item);
    return;
  }
  item.lease = answer.secret;
  // A slow answer does not make it shorter.
  const length = Date.parse(item.lease.expiresAt) - askedAt;
  // Some get less time than requested at each renewal, but can be renewed forever. Only a shrinking duration means the end;
  // servers count in whole seconds.
  const isCut = length < Math.min(seconds * 1000, item.length) - 1000;
  item.length = length;
  tell(holding, isCut ? "ending" : "renewed", item);
  if (!isCut) renewLater(holding, session, item);
}

async function revokeAll(holding: Holding, session: LeaseSession, limits: CallLimits): Promise<void> {
  const items = [...holding.held];
  const credentials = items.filter(({ path }) => path !== null);
  await Promise.all(credentials.map(async (item) => await revoke(holding, session, item, limits)));
  const login = items.find(({ path }) => path === null);
  if (login === undefined) return;
  // Last, because it also ends credentials that we are not allowed to revoke. Other failures may remain, unnoticed.
  await revoke(holding, session, login, limits);
  if (holding.held.has(login)) return;
  for (const item of holding.held) if (holding.failures.get(item)?.status === "denied") giveBack(holding, item);
}

async function revoke(holding: Holding, session: LeaseSession, item: Held, limits: CallLimits): Promise<void> {
  const answer = await session.revoke(item.lease, limits);
  if (answer.status === "found" || answer.status === "notFound") giveBack(holding, item);
  else holding.failures.set(item, answer);
}

function giveBack(holding: Holding, item: Held): void {
  holding.held.delete(item);
  tell(holding, "revoked", item);
}

function timeLeft({ expiresAt }: Lease): number {
  return Date.parse(expiresAt) - Date.now();
}
