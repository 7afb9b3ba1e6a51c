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
} from "@autokestra/secrets-core";
import { withinLimits } from "./limits.ts";

export interface RunLeasesOptions {
  /** The id of the source, for events. */
  readonly source: string;
  /** How long credentials last unless they are renewed. */
  readonly seconds: number;
  readonly onEvent: (event: LeaseEvent) => void;
  /** How long each call may take. */
  readonly timeoutMs: number;
  readonly toSecret: (name: SecretName, binding: SecretBinding, secret: ProvidedSecret) => SourceAnswer;
}

/** All of them are given back in this time, or left to their end. */
const CLOSE_MS = 5000;

/** Credentials, or the login that has made them. */
interface Held {
  lease: Lease;
  /** Null for the login. */
  readonly path: string | null;
  timer: NodeJS.Timeout | undefined;
}

/**
 * The credentials of one run. Logs in for the first of them, because credentials end with the login that has made them; renews each
 * after two thirds of its time; gives all back at the end.
 */
export function openRunLeases(
  leases: ProviderLeases,
  { source, seconds, onEvent, timeoutMs, toSecret }: RunLeasesOptions,
): RunLeases {
  const held = new Set<Held>();
  const creating = new Set<Promise<unknown>>();
  let opening: Promise<SecretAnswer<LeaseSession>> | null = null;
  let closed = false;

  function tell(type: LeaseEvent["type"], { path, lease }: Held, reason?: string): void {
    onEvent({ type, source, path, expiresAt: lease.expiresAt, ...(reason !== undefined && { reason }) });
  }

  function hold(session: LeaseSession, lease: Lease, path: string | null): void {
    const item: Held = { lease, path, timer: undefined };
    held.add(item);
    renewLater(session, item);
    if (path !== null) tell("created", item);
  }

  function renewLater(session: LeaseSession, item: Held): void {
    const left = Date.parse(item.lease.expiresAt) - Date.now();
    if (closed || left <= 0) return;
    item.timer = setTimeout(() => void renew(session, item), Math.min((left * 2) / 3, 2 ** 31 - 1)).unref();
  }

  async function renew(session: LeaseSession, item: Held): Promise<void> {
    const answer = await withinLimits(
      timeoutMs,
      undefined,
      async (limits) => await session.renew(item.lease, seconds, limits),
    );
    if (closed) return;
    if (answer.status === "found") {
      item.lease = answer.secret;
      // A second is lost on the way; where more is missing, no longer time is allowed.
      const isCut = Date.parse(item.lease.expiresAt) < Date.now() + seconds * 1000 - 1000;
      tell(isCut ? "ending" : "renewed", item);
      if (!isCut) renewLater(session, item);
    } else {
      tell("renewalFailed", item, answer.reason);
      renewLater(session, item);
    }
  }

  /** What was made is held also where nobody waits for it any longer: it is to be given back. */
  async function make(session: LeaseSession, path: string, limits: CallLimits): ReturnType<LeaseSession["create"]> {
    const answer = await session.create(path, seconds, limits);
    if (answer.status === "found") hold(session, answer.secret.lease, path);
    return answer;
  }

  async function open(): Promise<SecretAnswer<LeaseSession>> {
    const answer = await withinLimits(timeoutMs, undefined, async (limits) => await leases.open(limits));
    if (answer.status === "found" && answer.secret.login !== null) hold(answer.secret, answer.secret.login, null);
    return answer;
  }

  /** Why something could not be given back. */
  const reasons = new Map<Held, string>();

  async function revoke(session: LeaseSession, item: Held, limits: CallLimits): Promise<void> {
    const answer = await session.revoke(item.lease, limits);
    if (answer.status === "found" || answer.status === "notFound") giveBack(item);
    else reasons.set(item, answer.reason);
  }

  function giveBack(item: Held): void {
    held.delete(item);
    tell("revoked", item);
  }

  async function revokeAll(limits: CallLimits): Promise<SecretAnswer<null>> {
    const session = await opening;
    await Promise.allSettled(creating);
    if (session?.status === "found") {
      const items = [...held];
      const revocations = items
        .filter(({ path }) => path !== null)
        .map(async (item) => await revoke(session.secret, item, limits));
      await Promise.all(revocations);
      // Last, because it takes along what could not be revoked by itself.
      const login = items.find(({ path }) => path === null);
      if (login !== undefined) await revoke(session.secret, login, limits);
      if (login !== undefined && !held.has(login)) for (const item of held) giveBack(item);
    }
    return { status: "found", secret: null };
  }

  return {
    async create(name, binding, signal) {
      const { lease: path = "" } = binding;
      opening ??= open();
      const session = await opening;
      if (session.status !== "found") return session;
      const answer = await withinLimits(timeoutMs, signal, async (limits) => {
        const making = make(session.secret, path, limits);
        creating.add(making);
        return await making.finally(() => creating.delete(making));
      });
      return answer.status === "found" ? toSecret(name, binding, answer.secret) : answer;
    },

    async close(signal) {
      closed = true;
      for (const { timer } of held) clearTimeout(timer);
      await withinLimits(CLOSE_MS, signal, revokeAll);
      for (const item of held) tell("revocationFailed", item, reasons.get(item) ?? "no answer in time");
      held.clear();
    },
  };
}
