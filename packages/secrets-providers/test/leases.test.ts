import {
  type Lease,
  type LeaseEvent,
  type LeaseSession,
  parseSecretName,
  type SecretAnswer,
} from "@autokestra/secrets-core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createProviderSource, denied, notFound, unavailable } from "../src/index.ts";

const DB = parseSecretName("DB");
const BINDING = { source: "vault", lease: "creds/a", type: "basicAuth" } as const;
const OK: SecretAnswer<null> = { status: "found", secret: null };

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
});
afterEach(() => {
  vi.useRealTimers();
});

function at(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

/** A provider that makes credentials, and keeps what it was asked. */
function fixture(more: Partial<LeaseSession> = {}, opened?: SecretAnswer<LeaseSession>) {
  const calls: string[] = [];
  const events: LeaseEvent[] = [];
  let made = 0;
  const session: LeaseSession = {
    login: { id: "login", expiresAt: at(600) },
    async create(path, seconds) {
      made += 1;
      calls.push(`create ${path} ${seconds}`);
      const lease = { id: `lease-${made}`, expiresAt: at(seconds) };
      return await Promise.resolve({
        status: "found",
        secret: { value: { username: `u${made}`, password: "canary" }, lease },
      });
    },
    async renew(lease, seconds) {
      calls.push(`renew ${lease.id}`);
      return await Promise.resolve({
        status: "found",
        secret: { id: lease.id, expiresAt: at(Date.now() / 1000 + seconds) },
      });
    },
    async revoke(lease) {
      calls.push(`revoke ${lease.id}`);
      return await Promise.resolve(OK);
    },
    ...more,
  };
  const source = createProviderSource({
    id: "vault",
    type: "fake",
    capabilities: { versions: false, leases: true },
    lookup: async () => await Promise.resolve(notFound("No.")),
    leases: {
      canCreate: async (path) => await Promise.resolve(path === "creds/a" ? OK : denied("no")),
      async open() {
        calls.push("open");
        return await Promise.resolve(opened ?? { status: "found", secret: session });
      },
    },
    check: async () => await Promise.resolve({ status: "found", secret: {} }),
    close: async () => await Promise.resolve(),
  });
  const leases = source.leases?.open(100, (event) => events.push(event));
  if (leases === undefined) throw new Error("no leases");
  const told = () =>
    events.map(({ type, path, expiresAt, reason }) =>
      [type, path, Date.parse(expiresAt) / 1000, reason].filter((part) => part !== undefined).join(" "),
    );
  return { source, leases, calls, told, events };
}

describe("credentials of a run", () => {
  it("are made with one login, and given back before it", async () => {
    const { leases, calls, told, events } = fixture();
    const answers = await Promise.all([
      leases.create(DB, BINDING),
      leases.create(parseSecretName("B"), { ...BINDING, lease: "creds/b" }),
    ]);
    expect(answers).toMatchObject([
      { status: "found", secret: { type: "basicAuth", fields: { username: "u1", password: "canary" } } },
      { status: "found" },
    ]);
    await leases.close();
    expect(calls).toEqual([
      "open",
      "create creds/a 100",
      "create creds/b 100",
      "revoke lease-1",
      "revoke lease-2",
      "revoke login",
    ]);
    expect(told()).toEqual([
      "created creds/a 100",
      "created creds/b 100",
      "revoked creds/a 100",
      "revoked creds/b 100",
      "revoked  600",
    ]);
    expect(JSON.stringify(events)).not.toContain("canary");
    await vi.advanceTimersByTimeAsync(1_000_000);
    expect(calls.length).toBe(6);
  });

  it("are renewed after two thirds of their time, and so is the login", async () => {
    const { leases, calls, told } = fixture();
    await leases.create(DB, BINDING);
    await vi.advanceTimersByTimeAsync(66_000);
    expect(calls).not.toContain("renew lease-1");
    await vi.advanceTimersByTimeAsync(1000);
    expect(told()).toEqual(["created creds/a 100", expect.stringMatching(/^renewed creds\/a 166/)]);
    await vi.advanceTimersByTimeAsync(400_000);
    expect(calls).toContain("renew login");
    await leases.close();
  });

  it("are told to end where no longer time is allowed", async () => {
    const { leases, calls, told } = fixture({
      renew: async (lease: Lease) => await Promise.resolve({ status: "found", secret: lease }),
    });
    await leases.create(DB, BINDING);
    await vi.advanceTimersByTimeAsync(67_000);
    expect(told().at(-1)).toBe("ending creds/a 100");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(told().length).toBe(2);
    await leases.close();
    expect(calls).toContain("revoke lease-1");
  });

  it("are renewed on where the answer takes longer than a second", async () => {
    const renew = async ({ id }: Lease) => {
      const expiresAt = at(Date.now() / 1000 + 100);
      await new Promise((resolve) => setTimeout(resolve, 3000));
      return { status: "found", secret: { id, expiresAt } } as const;
    };
    const { leases, told } = fixture({ renew });
    await leases.create(DB, BINDING);
    await vi.advanceTimersByTimeAsync(300_000);
    expect(told().filter((event) => event.startsWith("ending"))).toEqual([]);
    expect(told().filter((event) => event.startsWith("renewed creds/a")).length).toBeGreaterThan(2);
    await leases.close();
  });

  it("are renewed for ever where they are given less than asked, but always as much", async () => {
    const renew = async ({ id }: Lease) =>
      await Promise.resolve({ status: "found", secret: { id, expiresAt: at(Date.now() / 1000 + 30) } } as const);
    const { leases, told } = fixture({ login: { id: "login", expiresAt: at(30) }, renew });
    await leases.create(DB, BINDING);
    await vi.advanceTimersByTimeAsync(66_000);
    expect(told().slice(1)).toEqual(["renewed  50", "renewed  70", "renewed  90"]);
    await vi.advanceTimersByTimeAsync(1000);
    // These had 100 s before.
    expect(told().at(-1)).toBe("ending creds/a 96.666");
    await leases.close();
  });

  it("are tried to be renewed again until they have ended", async () => {
    const { leases, told } = fixture({ login: null, renew: async () => await Promise.resolve(unavailable("503")) });
    await leases.create(DB, BINDING);
    await vi.advanceTimersByTimeAsync(67_000);
    expect(told().at(-1)).toBe("renewalFailed creds/a 100 503");
    await vi.advanceTimersByTimeAsync(200_000);
    const count = told().length;
    expect(count).toBeGreaterThan(3);
    expect(count).toBeLessThan(40);
    await vi.advanceTimersByTimeAsync(200_000);
    expect(told().length).toBe(count);
  });

  it("are taken along by the login where they may not be revoked", async () => {
    const revoke = async ({ id }: Lease) => await Promise.resolve(id === "login" ? OK : denied("403"));
    const { leases, told } = fixture({ revoke });
    await leases.create(DB, BINDING);
    await leases.close();
    expect(told().slice(1)).toEqual(["revoked  600", "revoked creds/a 100"]);
  });

  it("are told where revoking them failed, also where the login was revoked", async () => {
    const revoke = async ({ id }: Lease) => await Promise.resolve(id === "login" ? OK : unavailable("500"));
    const { leases, told } = fixture({ revoke });
    await leases.create(DB, BINDING);
    await leases.close();
    expect(told().slice(1)).toEqual(["revoked  600", "revocationFailed creds/a 100 500"]);
  });

  it("are told where they could not be given back, with their end", async () => {
    const { leases, told } = fixture({ login: null, revoke: async () => await Promise.resolve(denied("403")) });
    await leases.create(DB, BINDING);
    await leases.close();
    expect(told().slice(1)).toEqual(["revocationFailed creds/a 100 403"]);
    await leases.close();
    expect(told().length).toBe(2);
  });

  it("are given back where nobody knows them any more", async () => {
    const { leases, told } = fixture({ login: null, revoke: async () => await Promise.resolve(notFound("Unknown.")) });
    await leases.create(DB, BINDING);
    await leases.close();
    expect(told().slice(1)).toEqual(["revoked creds/a 100"]);
  });

  it("keep nobody waiting longer than 5 s, or than the caller wants", async () => {
    for (const ms of [5100, 200]) {
      const { leases, told } = fixture({ revoke: async () => await new Promise(() => undefined) });
      await leases.create(DB, BINDING);
      const controller = new AbortController();
      const closed = leases.close(controller.signal);
      setTimeout(() => controller.abort(), ms === 200 ? 100 : 10_000);
      await vi.advanceTimersByTimeAsync(ms);
      await closed;
      expect(told().slice(1)).toEqual([
        "revocationFailed  600 no answer in time",
        "revocationFailed creds/a 100 no answer in time",
      ]);
    }
  });

  it("are given back also where they were made too late", async () => {
    let finish = (): void => undefined;
    const lease = { id: "late", expiresAt: at(900) };
    const create: LeaseSession["create"] = async () => {
      await new Promise<void>((resolve) => (finish = resolve));
      return { status: "found", secret: { value: "v", lease } };
    };
    const { leases, calls } = fixture({ create });
    const controller = new AbortController();
    const answer = leases.create(DB, BINDING, controller.signal);
    await vi.advanceTimersByTimeAsync(10);
    controller.abort();
    await vi.advanceTimersByTimeAsync(100);
    expect(await answer).toMatchObject({ status: "unavailable" });
    const closed = leases.close();
    finish();
    await closed;
    expect(calls).toEqual(["open", "revoke late", "revoke login"]);
  });

  it("are refused as the login or the provider refuses them", async () => {
    const refused = fixture({}, denied("no login"));
    expect(await refused.leases.create(DB, BINDING)).toMatchObject({ status: "denied", reason: "no login" });
    await refused.leases.close();
    expect(refused.calls).toEqual(["open"]);
    const none = fixture({ create: async () => await Promise.resolve(denied("no role")) });
    expect(await none.leases.create(DB, BINDING)).toMatchObject({ status: "denied", reason: "no role" });
    await none.leases.close();
    expect(none.told()).toEqual(["revoked  600"]);
  });

  it("need no login where none were made, and can be asked for without making any", async () => {
    const { source, leases, calls } = fixture();
    expect(await source.leases?.canCreate(BINDING)).toEqual(OK);
    expect(await source.leases?.canCreate({ source: "vault" })).toMatchObject({ status: "denied" });
    await leases.close();
    expect(calls).toEqual([]);
  });
});
