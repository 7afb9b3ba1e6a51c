import { type LeaseEvent, parseSecretName } from "@autokestra/secrets-core";
import pg from "pg";
import { afterAll, describe, expect, it } from "vitest";
import { startOpenBao, startPostgres } from "../../../scripts/servers.mjs";
import type { CallReport } from "../src/http-call.ts";
import { createProviderSource } from "../src/index.ts";
import { createVaultProvider, type VaultProviderOptions } from "../src/vault.ts";
import { createBaoApi, documentedPolicies } from "./bao-api.ts";
import { soon } from "./soon.ts";

const bao = await startOpenBao();
const postgres = await startPostgres();
afterAll(async () => {
  await bao.close();
  await postgres.close();
});
const api = createBaoApi(bao);
const { host, port, database } = postgres;

await api("POST", "sys/mounts/database", { type: "database" });
await api("POST", "sys/auth/approle", { type: "approle" });
const url = `postgresql://{{username}}:{{password}}@${host}:${port}/${database}?sslmode=disable`;
await api("POST", "database/config/main", {
  plugin_name: "postgresql-database-plugin",
  allowed_roles: "*",
  connection_url: url,
  username: postgres.user,
  password: postgres.password,
});
const CREATE = `CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'`;
const DROP = `DROP ROLE IF EXISTS "{{name}}"`;
const createDatabaseRole = async (name: string, more: object = {}) =>
  await api("POST", `database/roles/${name}`, {
    db_name: "main",
    creation_statements: [CREATE],
    revocation_statements: [DROP],
    default_ttl: "1h",
    max_ttl: "24h",
    ...more,
  });
await createDatabaseRole("report");
const [, , mayRevoke = ""] = documentedPolicies();
await api("POST", "sys/policies/acl/may-revoke", { policy: mayRevoke });
await api("POST", "sys/policies/acl/may-make", { policy: 'path "database/creds/*" { capabilities = ["read"] }' });

/** An AppRole with these policies, beside the default one. */
async function createRole(name: string, policies: readonly string[], more: object = {}) {
  await api("POST", `auth/approle/role/${name}`, { token_policies: policies, token_ttl: "20m", ...more });
  const { role_id } = await api("GET", `auth/approle/role/${name}/role-id`);
  const { secret_id } = await api("POST", `auth/approle/role/${name}/secret-id`);
  return { method: "approle", roleId: String(role_id), secretId: String(secret_id) } as const;
}

const DB = parseSecretName("DB");

/** A run that may make credentials, and what is told of it. */
function startRun(auth: VaultProviderOptions["auth"], seconds = 3600) {
  const calls: CallReport[] = [];
  const provider = createVaultProvider({ address: bao.address, auth, env: {}, onCall: (call) => calls.push(call) });
  const source = createProviderSource(provider);
  const events: (LeaseEvent & { readonly secondsLeft: number })[] = [];
  const leases = source.leases?.open(seconds, (event) => {
    events.push({ ...event, secondsLeft: (Date.parse(event.expiresAt) - Date.now()) / 1000 });
  });
  if (leases === undefined) throw new Error("no leases");
  return {
    provider,
    source,
    events,
    told: () => events.map(({ type, path }) => `${type} ${path ?? "login"}`),
    count: (call: string) => calls.filter((report) => report.call === call).length,
    make: async (role = "report") => {
      const binding = { source: "vault", lease: `database/creds/${role}`, type: "basicAuth" } as const;
      return await leases.create(DB, binding);
    },
    async end() {
      await leases.close();
      await provider.close();
    },
  };
}

type Made = Awaited<ReturnType<ReturnType<typeof startRun>["make"]>>;

/** Logs in to the database. Gives the code of the error where that is refused. */
async function tryLogin(made: Made): Promise<string> {
  if (made.status !== "found") return made.status;
  const { username, password } = made.secret.fields;
  const client = new pg.Client({ host, port, database, user: String(username), password: String(password) });
  try {
    await client.connect();
    const { rows } = await client.query("SELECT current_user = session_user AS ok");
    return rows[0].ok === true ? "works" : "no";
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  } finally {
    await client.end();
  }
}

/** How long what is to end lasts: long enough for a busy machine to use it before. */
const SECONDS = 9;

/** How PostgreSQL refuses a user that it does not know, or whose time is over. */
const REFUSED = "28P01";

describe("credentials of a database", () => {
  it("work during the run, and are refused after it, each revoked by itself", async () => {
    const run = startRun(await createRole("full", ["may-revoke"]), 120);
    const [one, two] = await Promise.all([run.make(), run.make()]);
    expect([await tryLogin(one), await tryLogin(two)]).toEqual(["works", "works"]);
    // The role says an hour.
    for (const event of run.events) expect(Math.abs(event.secondsLeft - 120)).toBeLessThan(100);
    expect(run.count("login")).toBe(1);
    await run.end();
    expect([await tryLogin(one), await tryLogin(two)]).toEqual([REFUSED, REFUSED]);
    expect(run.told()).toEqual([
      "created database/creds/report",
      "created database/creds/report",
      "revoked database/creds/report",
      "revoked database/creds/report",
      "revoked login",
    ]);
  });

  it("are revoked with the login where the default policy does not let them be revoked", async () => {
    const run = startRun(await createRole("default", ["may-make"]));
    const made = await run.make();
    expect(await tryLogin(made)).toBe("works");
    await run.end();
    expect(run.told()).toEqual(["created database/creds/report", "revoked login", "revoked database/creds/report"]);
    await expect.poll(async () => await tryLogin(made)).toBe(REFUSED);
  });

  // These wait for the clock of the server, at the same time.
  it.concurrent("end by themselves soon where the process was killed", async (test) => {
    const { provider } = startRun(await createRole("killed", ["may-make"]));
    const session = await provider.leases?.open(soon());
    if (session?.status !== "found") throw new Error("no login");
    // Nobody renews it, as after a kill.
    const made = await session.secret.create("database/creds/report", SECONDS, soon());
    const { value } = made.status === "found" ? made.secret : { value: "" };
    const fields = typeof value === "string" ? {} : (value as Record<string, string>);
    const asMade: Made = { status: "found", secret: { type: "basicAuth", fields, expiresAt: null } };
    expect(await tryLogin(asMade)).toBe("works");
    await test.expect.poll(async () => await tryLogin(asMade), { interval: 500 }).toBe(REFUSED);
    await provider.close();
  });

  it.concurrent("live on while they are renewed, and their login with them", async (test) => {
    const role = { token_period: `${SECONDS}s`, token_ttl: 0 };
    const run = startRun(await createRole("periodic", ["may-revoke"], role), SECONDS);
    const made = await run.make();
    // At two thirds of their time: the second time is after its end.
    for (const renewed of ["renewed login", "renewed database/creds/report"]) {
      await test.expect.poll(() => run.told().filter((event) => event === renewed).length).toBeGreaterThan(1);
    }
    expect(await tryLogin(made)).toBe("works");
    expect(run.told().filter((event) => event.startsWith("ending"))).toEqual([]);
    expect(run.count("login")).toBe(1);
    await run.end();
    expect(await tryLogin(made)).toBe(REFUSED);
  });

  it.concurrent("are told to end before they do, where max_ttl allows no more", async (test) => {
    await createDatabaseRole("brief", { default_ttl: `${SECONDS}s`, max_ttl: `${SECONDS + 2}s` });
    const run = startRun(await createRole("max", ["may-revoke", "may-make"]));
    const made = await run.make("brief");
    await test.expect.poll(() => run.told()).toContain("ending database/creds/brief");
    expect(await tryLogin(made)).toBe("works");
    const ending = run.events.find(({ type }) => type === "ending");
    expect(ending?.secondsLeft).toBeGreaterThan(0);
    await test.expect.poll(async () => await tryLogin(made), { interval: 500 }).toBe(REFUSED);
    await run.end();
  });

  it.concurrent("end with a token that somebody else has made, and that is told", async (test) => {
    const create = { policies: ["may-make"], ttl: `${SECONDS}s`, renewable: false };
    const { client_token: token } = await api("POST", "auth/token/create", create);
    const run = startRun({ method: "token", token: String(token) });
    const made = await run.make();
    expect(run.events[0]?.secondsLeft).toBeLessThan(SECONDS + 1);
    await test.expect.poll(() => run.told()).toContain("ending database/creds/report");
    expect(await tryLogin(made)).toBe("works");
    await test.expect.poll(async () => await tryLogin(made), { interval: 500 }).toBe(REFUSED);
    await run.end();
    expect(run.count("revoke")).toBe(1);
  });

  it("renew such a token where it can be renewed, and leave it alive", async () => {
    const create = { policies: ["may-revoke"], ttl: `${SECONDS}s`, renewable: true };
    const { client_token: token } = await api("POST", "auth/token/create", create);
    const run = startRun({ method: "token", token: String(token) }, 60);
    const made = await run.make();
    expect(run.events[0]?.secondsLeft).toBeGreaterThan(SECONDS + 1);
    const { ttl } = await api("POST", "auth/token/lookup", { token });
    expect(ttl).toBeGreaterThan(SECONDS);
    expect(await tryLogin(made)).toBe("works");
    await run.end();
    expect(run.told()).toEqual(["created database/creds/report", "revoked database/creds/report"]);
    expect(await tryLogin(made)).toBe(REFUSED);
    const again = createVaultProvider({
      address: bao.address,
      auth: { method: "token", token: String(token) },
      env: {},
    });
    expect((await again.check(soon())).status).toBe("found");
    await again.close();
  });

  it("are told with their end where revoking them fails", async () => {
    await createDatabaseRole("stuck", { revocation_statements: ["SELECT 1/0"] });
    const run = startRun(await createRole("stuck", ["may-revoke", "may-make"]), 60);
    const made = await run.make("stuck");
    await run.end();
    const failed = run.events.find(({ type }) => type === "revocationFailed");
    expect(failed).toMatchObject({ path: "database/creds/stuck", reason: expect.stringMatching(/revoke/) });
    expect(await tryLogin(made)).toBe("works");
    expect(JSON.stringify(run.events)).not.toContain(made.status === "found" ? made.secret.fields["password"] : "");
  });

  it("are not made where it is only asked whether they could be", async () => {
    const before = await roles();
    const run = startRun(await createRole("asked", ["may-revoke"]));
    const can = async (lease: string) => await run.source.leases?.canCreate({ source: "vault", lease });
    expect(await can("database/creds/report")).toEqual({ status: "found", secret: null });
    expect(await can("database/creds/other")).toMatchObject({
      status: "denied",
      reason: "the token may not read database/creds/other",
    });
    await run.end();
    expect(await roles()).toEqual(before);
  });

  it("are refused without a role, a permission, a database, a lease", async () => {
    await api("POST", "database/config/gone", {
      plugin_name: "postgresql-database-plugin",
      allowed_roles: "*",
      connection_url: url.replace(`:${port}`, ":9"),
      verify_connection: false,
    });
    await createDatabaseRole("gone", { db_name: "gone" });
    await api("POST", "secret/data/db", { data: { user: "u" } });
    const run = startRun(await createRole("refused", ["may-make"]));
    expect(await run.make("none")).toMatchObject({ status: "malformed", hint: "Check that there is such a role." });
    expect(await run.make("gone")).toMatchObject({ status: "unavailable" });
    await run.end();
    const other = startRun(await createRole("nothing", []));
    expect(await other.make()).toMatchObject({
      status: "denied",
      hint: expect.stringMatching(/read on database\/creds/),
    });
    await other.end();
    expect(other.told()).toEqual(["revoked login"]);
    const root = createVaultProvider({ address: bao.address, auth: { method: "token", token: bao.token }, env: {} });
    const session = await root.leases?.open(soon());
    if (session?.status !== "found") throw new Error("no login");
    expect(await session.secret.create("secret/data/db", 60, soon())).toMatchObject({
      status: "malformed",
      reason: expect.stringMatching(/nothing was created that could be revoked/),
    });
    await root.close();
  });
});

/** The users of the database. */
async function roles(): Promise<unknown[]> {
  const client = new pg.Client({ ...postgres });
  await client.connect();
  const { rows } = await client.query("SELECT rolname FROM pg_roles ORDER BY 1");
  await client.end();
  return rows;
}
