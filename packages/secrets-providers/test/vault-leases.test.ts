import type { LeaseSession, ProvidedSecret, SecretAnswer } from "@autokestra/secrets-core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type SeenRequest, type SoundAnswer, startTestServer, type TestServer } from "../src/testing/index.ts";
import { createVaultProvider, type VaultProviderOptions } from "../src/vault.ts";
import { soon } from "./soon.ts";

const TOKEN = "canary-token-1c5f";
const DATA = { username: "u", password: "canary-value" };
const ROLE: VaultProviderOptions["auth"] = { method: "approle", roleId: "role" };
const GIVEN: VaultProviderOptions["auth"] = { method: "token", token: TOKEN };
const PATH = "database/creds/report";

const loggedIn = (seconds: number, accessor = "login") => ({
  body: { auth: { client_token: TOKEN, accessor, lease_duration: seconds, renewable: true } },
});
const lease = (seconds: number, more: object = {}) => ({
  body: { lease_id: "lease-1", lease_duration: seconds, renewable: true, data: DATA, ...more },
});
const self = (expire_time: string | null, renewable: boolean) => ({
  body: { data: { display_name: "ci", expire_time, renewable } },
});
const FORBIDDEN = { status: 403, body: { errors: ["permission denied"] } };
const DONE = { status: 204, body: "" };
const at = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();

/** What a Vault answers, by the end of the path. */
const SOUND: Readonly<Record<string, SoundAnswer>> = {
  "/login": loggedIn(1200),
  "/report": lease(3600),
  "/leases/renew": lease(60),
  "/leases/revoke": DONE,
  "/renew-self": loggedIn(60),
  "/revoke-self": DONE,
  "/lookup-self": self(null, false),
  "/capabilities-self": { body: { data: { capabilities: ["read"] } } },
};

// Leases are of so many seconds from now, however long an answer takes.
beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"] }));

const servers: TestServer[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const server of servers.splice(0)) await server.close();
});

async function start(auth: VaultProviderOptions["auth"], answers: Readonly<Record<string, SoundAnswer>> = {}) {
  const all = { ...SOUND, ...answers };
  const answer = ({ path }: SeenRequest) => {
    const key = Object.keys(all).find((end) => path.endsWith(end)) ?? "";
    return all[key] ?? { status: 404, body: { errors: [] } };
  };
  const server = await startTestServer(answer);
  servers.push(server);
  const { leases } = createVaultProvider({ address: server.address, auth, env: {} });
  if (leases === undefined) throw new Error("no leases");
  const asked = () => server.requests.map(({ method, path }) => `${method} ${path.slice(4)}`);
  const open = async (): Promise<LeaseSession> => {
    const answered = await leases.open(soon());
    if (answered.status !== "found") throw new Error(answered.status);
    return answered.secret;
  };
  return { leases, asked, open, bodies: () => server.requests.map(({ body }) => body) };
}

/** In how many seconds something ends. */
function secondsLeft(expiresAt: string | undefined): number {
  return Math.round((Date.parse(expiresAt ?? "") - Date.now()) / 1000);
}

function endOf(made: SecretAnswer<ProvidedSecret & { lease: { expiresAt: string } }>): number | string {
  return made.status === "found" ? secondsLeft(made.secret.lease.expiresAt) : made.status;
}

describe("credentials of Vault", () => {
  it("are made with a login of their own, shortened, renewed and revoked", async () => {
    const { open, asked, bodies } = await start(ROLE);
    const session = await open();
    expect(secondsLeft(session.login?.expiresAt)).toBe(1200);
    const made = await session.create(PATH, 60, soon());
    expect(made).toMatchObject({ status: "found", secret: { value: DATA, lease: { id: "lease-1" } } });
    expect(endOf(made)).toBe(60);
    const renewed = await session.renew({ id: "lease-1", expiresAt: at(20) }, 60, soon());
    expect(renewed).toMatchObject({ status: "found", secret: { id: "lease-1" } });
    const login = { id: "login", expiresAt: at(20) };
    expect(await session.renew(login, 60, soon())).toMatchObject({ status: "found", secret: { id: "login" } });
    const done = { status: "found", secret: null };
    expect(await session.revoke({ id: "lease-1", expiresAt: at(20) }, soon())).toEqual(done);
    expect(await session.revoke(login, soon())).toEqual(done);
    expect(asked()).toEqual([
      "POST auth/approle/login",
      "GET database/creds/report",
      "PUT sys/leases/renew",
      "PUT sys/leases/renew",
      "POST auth/token/renew-self",
      "PUT sys/leases/revoke",
      "POST auth/token/revoke-self",
    ]);
    expect(bodies().slice(2, 6)).toEqual([
      '{"lease_id":"lease-1","increment":60}',
      '{"lease_id":"lease-1","increment":60}',
      '{"increment":60}',
      '{"lease_id":"lease-1","sync":true}',
    ]);
  });

  it.each<[string, object, number]>([
    ["are short enough", lease(30), 30],
    ["cannot be renewed", lease(3600, { renewable: false }), 3600],
  ])("are left as they are where they %s", async (_, made, end) => {
    const { open, asked } = await start(ROLE, { "/report": made as SoundAnswer });
    expect(endOf(await (await open()).create(`/${PATH}`, 60, soon()))).toBe(end);
    expect(asked().length).toBe(2);
  });

  it("are used also where nobody may shorten them", async () => {
    const { open } = await start(ROLE, { "/leases/renew": FORBIDDEN });
    expect(endOf(await (await open()).create(PATH, 60, soon()))).toBe(3600);
  });

  it("have a login that does not end where the server says no time", async () => {
    const { open } = await start(ROLE, { "/login": loggedIn(0) });
    expect((await open()).login).toEqual({ id: "login", expiresAt: "9999-12-31T23:59:59.999Z" });
  });

  it("end with a token that somebody else has made, which is not theirs to revoke", async () => {
    const { open, asked } = await start(GIVEN, { "/lookup-self": self(at(10), false) });
    const session = await open();
    expect(session.login).toBeNull();
    expect(endOf(await session.create(PATH, 60, soon()))).toBeLessThanOrEqual(10);
    expect(asked()).toEqual(["GET auth/token/lookup-self", "GET database/creds/report", "PUT sys/leases/renew"]);
  });

  it("renew such a token where it ends before they do", async () => {
    const { open, asked } = await start(GIVEN, { "/lookup-self": self(at(10), true) });
    const session = await open();
    expect(endOf(await session.create(PATH, 60, soon()))).toBeGreaterThanOrEqual(59);
    expect(asked()).toContain("POST auth/token/renew-self");
    const renewed = await session.renew({ id: "lease-1", expiresAt: at(1) }, 5, soon());
    expect(renewed.status).toBe("found");
    expect(asked().filter((call) => call.endsWith("renew-self")).length).toBe(1);
  });

  it.each<[string, SoundAnswer, number]>([
    ["cannot be renewed after all", FORBIDDEN, 10],
    ["does not end any more", loggedIn(0), 60],
  ])("know when such a token ends that %s", async (_, renewal, end) => {
    const { open } = await start(GIVEN, { "/lookup-self": self(at(10), true), "/renew-self": renewal });
    expect(endOf(await (await open()).create(PATH, 60, soon()))).toBe(end);
  });

  it("are made with a token that may not look itself up, and with one that does not end", async () => {
    for (const answer of [FORBIDDEN, self(null, true)]) {
      const { open } = await start(GIVEN, { "/lookup-self": answer });
      expect(endOf(await (await open()).create(PATH, 60, soon()))).toBe(60);
    }
  });

  it("are made with a batch token, which cannot be revoked", async () => {
    const { open } = await start(ROLE, { "/login": loggedIn(1200, ""), "/lookup-self": self(at(1200), false) });
    const session = await open();
    expect(session.login).toBeNull();
    expect(endOf(await session.create(PATH, 60, soon()))).toBe(60);
  });

  it.each<[string, SoundAnswer, object]>([
    [
      "a role that is not there",
      { status: 400, body: {} },
      { status: "malformed", hint: "Check that there is such a role." },
    ],
    ["no permission", FORBIDDEN, { status: "denied", hint: expect.stringContaining(`read on ${PATH}.`) }],
    ["nothing there", { status: 404, body: { errors: [] } }, { status: "notFound" }],
    ["a database that is down", { status: 500, body: {} }, { status: "unavailable" }],
    ["a secret that is only read", lease(0, { lease_id: "" }), { status: "malformed" }],
    ["no shape", { body: { data: DATA } }, { status: "malformed" }],
  ])("are not made where there is %s", async (_, made, expected) => {
    const { open, asked } = await start(ROLE, { "/report": made });
    const answer = await (await open()).create(PATH, 60, soon());
    expect(answer).toMatchObject(expected);
    expect(JSON.stringify(answer)).not.toContain("canary");
    // Made twice, one of them would be nobody's.
    expect(asked().length).toBe(2);
  });

  it.each<[string, SoundAnswer, string]>([
    ["403", FORBIDDEN, "denied"],
    ["400", { status: 400, body: {} }, "malformed"],
    ["no shape", { body: {} }, "malformed"],
  ])("say what they are answered where they are renewed: %s", async (_, said, expected) => {
    const { open } = await start(ROLE, { "/leases/renew": said, "/renew-self": said });
    const session = await open();
    for (const id of ["lease-1", "login"]) {
      expect((await session.renew({ id, expiresAt: at(20) }, 60, soon())).status).toBe(expected);
    }
  });

  it("say what they are answered where they are revoked", async () => {
    const { open } = await start(ROLE, { "/leases/revoke": FORBIDDEN, "/revoke-self": { status: 400, body: {} } });
    const session = await open();
    expect(await session.revoke({ id: "lease-1", expiresAt: at(20) }, soon())).toMatchObject({
      status: "denied",
      hint: expect.stringContaining("update on sys/leases/revoke"),
    });
    expect((await session.revoke({ id: "login", expiresAt: at(20) }, soon())).status).toBe("malformed");
  });

  it("cannot be had where the server has gone", async () => {
    const { leases, open } = await start(ROLE);
    const session = await open();
    for (const server of servers.splice(0)) await server.close();
    const expiresAt = at(20);
    const limits = { signal: AbortSignal.timeout(1000), deadline: Date.now() + 1000 };
    const answers = await Promise.all([
      leases.open(limits),
      session.create(PATH, 60, limits),
      session.renew({ id: "lease-1", expiresAt }, 60, limits),
      session.renew({ id: "login", expiresAt }, 60, limits),
      session.revoke({ id: "lease-1", expiresAt }, limits),
      session.revoke({ id: "login", expiresAt }, limits),
    ]);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set(["unavailable"]));
  });

  it.each<[string, SoundAnswer, string]>([
    ["read", { body: { data: { capabilities: ["list", "read"] } } }, "found"],
    ["root", { body: { data: { capabilities: ["root"] } } }, "found"],
    ["deny", { body: { data: { capabilities: ["deny"] } } }, "denied"],
    ["403", FORBIDDEN, "denied"],
    ["no shape", { body: {} }, "malformed"],
  ])("are asked for without making any: %s", async (_, said, expected) => {
    const { leases, asked, bodies } = await start(ROLE, { "/capabilities-self": said });
    expect((await leases.canCreate(`/${PATH}`, soon())).status).toBe(expected);
    expect(asked()).toEqual(["POST auth/approle/login", "POST sys/capabilities-self"]);
    expect(bodies()[1]).toBe(`{"paths":["${PATH}"]}`);
  });
});
