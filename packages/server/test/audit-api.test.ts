import { type AuditRecord, ROLES } from "@autokestra/secrets";
import { loadSqlite } from "@autokestra/sqlite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { call, createServerPlace, type ServerPlace } from "./server-place.ts";

let place: ServerPlace;
let auditor: string;
const ids: Record<string, string> = {};

beforeAll(async () => {
  place = await createServerPlace();
  auditor = await place.token("auditor");
  const admin = await place.token("admin");
  for (const [name, tags] of [
    ["CI_SEEN", ["ci"]],
    ["CI_OTHER_TAG", ["prod"]],
    ["HIDDEN", ["ci"]],
  ] as const) {
    const made = await call(place.app, "POST", "/api/secrets", admin, { payload: { name, value: "v", tags } });
    ids[name] = made.json().id;
    for (let index = 0; index < 5; index++) await call(place.app, "GET", `/api/secrets/${ids[name]}/decrypt`, admin);
  }
});
afterAll(async () => await place.close());

const get = async (path: string, token = auditor) => await call(place.app, "GET", `/api/audit${path}`, token);
const list = async (path: string, token = auditor): Promise<AuditRecord[]> => JSON.parse((await get(path, token)).body);
/** As somebody without the key can. */
async function attack(sql: string): Promise<void> {
  const database = (await loadSqlite()).open(`${place.folder}/secrets/access.db`, { mode: "rw" });
  database.exec(sql);
  database.close();
}

const ALL = { prefixes: null, tags: null, expiresAt: null };

type ShownRecord = AuditRecord & { readonly actor: { readonly name: string | null } };

const seqs = (records: readonly AuditRecord[]) => records.map(({ seq }) => seq);

describe("records", () => {
  it("pass filters", async () => {
    const reads = await list("?secret=HIDDEN&action=read");
    expect(reads).toHaveLength(5);
    expect(reads[0]).toMatchObject({
      actor: { kind: "token" },
      secret: { name: "HIDDEN", fields: ["value"] },
      outcome: "done",
    });
    const actor = reads[0]?.actor.id ?? "";
    expect((await list(`?actor=${actor}&limit=1000`)).every((record) => record.actor.id === actor)).toBe(true);
    expect(await list("?since=2099-01-01")).toEqual([]);
    expect(seqs(await list("?since=1d"))).toEqual(seqs(await list("?since=2026-01-01")));
    expect(await list(`?execution=${crypto.randomUUID()}`)).toEqual([]);
  });

  it.each([
    ["done", (outcome: string) => outcome === "done"],
    ["refused", (outcome: string) => outcome === "refused"],
    ["SECRET_NOT_FOUND", (outcome: string) => outcome === "SECRET_NOT_FOUND"],
    ["error", (outcome: string) => /^[A-Z]/.test(outcome)],
    ["cancelled", () => false],
  ])("pass the filter of the outcome %s", async (outcome, passes) => {
    await place.manager.secrets.get("ABSENT").catch(() => undefined);
    await call(place.app, "GET", "/api/secrets", "wrong");
    const all = await list("?limit=1000");
    const wanted = seqs(all.filter((record) => passes(record.outcome)));
    expect(seqs(await list(`?limit=1000&outcome=${outcome}`))).toEqual(wanted);
    expect(wanted.length > 0).toBe(outcome !== "cancelled");
  });

  it("have the name of a token that is there, for who may know it", async () => {
    const admin = await place.tokens.create({ ...ALL, name: "deploys", role: "admin" });
    const other = await place.tokens.create({ ...ALL, name: "narrowed", role: "lookout", prefixes: ["CI_"] });
    const app = await place.serve({ roles: { ...ROLES, lookout: ["audit:read", "secrets:reveal"] } });
    for (const { token } of [admin, other]) await call(app, "GET", `/api/secrets/${ids["CI_SEEN"]}/decrypt`, token);
    const namesFor = async (token: string) => {
      const records: ShownRecord[] = (await call(app, "GET", "/api/audit?secret=CI_SEEN&action=read", token)).json();
      const known = [admin.metadata, other.metadata].map(({ id }) => id);
      return records.slice(-2).map(({ actor }) => [known.indexOf(actor.id ?? ""), actor.name]);
    };
    expect(await namesFor(auditor)).toEqual([
      [0, "deploys"],
      [1, "narrowed"],
    ]);
    expect(await namesFor(other.token)).toEqual([
      [0, null],
      [1, "narrowed"],
    ]);
    const records: ShownRecord[] = (await call(app, "GET", "/api/audit?limit=1000", auditor)).json();
    for (const { actor } of records)
      expect([actor.kind === "token", actor.name]).toContain(actor.kind === "token" ? true : null);
    await place.tokens.revoke("deploys");
    // Whoever can write the database gives no token another name.
    await attack("UPDATE tokens SET name = 'innocent' WHERE name = 'narrowed'");
    expect(await namesFor(auditor)).toEqual([
      [0, null],
      [1, null],
    ]);
    await attack("UPDATE tokens SET name = 'narrowed' WHERE name = 'innocent'");
  });

  it("come in pages: back from the newest one, and on from any", async () => {
    const all = seqs(await list("?limit=1000"));
    const back: number[] = [];
    for (
      let page = seqs(await list("?limit=3"));
      page.length > 0;
      page = seqs(await list(`?limit=3&before=${page[0]}`))
    )
      back.unshift(...page);
    expect(back.slice(-all.length)).toEqual(all);
    expect(seqs(await list(`?after=${all[1]}&limit=2`))).toEqual(all.slice(2, 4));
    expect(seqs(await list(`?after=${all[1]}&before=${all[4]}`))).toEqual(all.slice(2, 4));
    expect(await list(`?after=${Number.MAX_SAFE_INTEGER}`)).toEqual([]);
    expect(await list("?before=1")).toEqual([]);
  });

  it.each(["?limit=0", "?limit=1001", "?after=-1", "?since=yesterday", "?since=", "?secret=", "?what=1", "?before=x"])(
    "are not listed for %s",
    async (query) => {
      const answer = await get(query);
      expect([answer.statusCode, answer.json().code]).toEqual([400, "REQUEST_INVALID"]);
    },
  );

  it.each([
    ["prefixes", { prefixes: ["CI_"] }, ["CI_OTHER_TAG", "CI_SEEN"]],
    ["tags", { tags: ["ci"] }, ["CI_SEEN", "HIDDEN"]],
    ["both", { prefixes: ["CI_"], tags: ["ci"] }, ["CI_SEEN"]],
    ["what matches nothing", { prefixes: [], tags: [] }, []],
    ["what is part of a pattern", { prefixes: ["CI%", "_"] }, []],
  ])("about secrets that a token narrowed by %s may not see are not there", async (_, narrowing, seen) => {
    // A prefix that no name has can come from a JWT only.
    const app = await place.serve({
      jwt: async (_text, roles) => ({
        kind: "jwt",
        id: "ada",
        name: null,
        roles: ["auditor"],
        permissions: new Set(roles["auditor"]),
        prefixes: null,
        tags: null,
        expiresAt: null,
        ...narrowing,
      }),
    });
    const records: AuditRecord[] = (await call(app, "GET", "/api/audit?limit=1000", "a.b.c")).json();
    expect(new Set(records.map(({ secret }) => secret?.name))).toEqual(new Set(seen));
    const refused = await call(app, "POST", "/api/audit/verify", "a.b.c", { payload: {} });
    expect([refused.statusCode, refused.json().code]).toEqual([403, "FORBIDDEN"]);
  });
});

describe("a check of the whole log", () => {
  const verify = async () => (await call(place.app, "POST", "/api/audit/verify", auditor, { payload: {} })).json();

  it("finds nothing in one that nobody has changed, once for all who ask", async () => {
    const reports = await Promise.all([verify(), verify(), verify()]);
    expect(reports[0]).toMatchObject({ first: 1, problem: null, lost: 0 });
    expect(reports[0].records).toBeGreaterThan(15);
    for (const report of reports) expect(report).toEqual(reports[0]);
  });

  it("names the record that somebody has changed", async () => {
    await attack("UPDATE audit SET secret_name = secret_name || '?' WHERE seq = 5");
    expect(await verify()).toMatchObject({ problem: { seq: 5 } });
    await attack("UPDATE audit SET secret_name = rtrim(secret_name, '?') WHERE seq = 5");
    expect(await verify()).toMatchObject({ problem: null });
  });
});
