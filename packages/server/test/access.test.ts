import { ROLES } from "@autokestra/secrets";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRunsPlace, type RunsPlace } from "./runs-place.ts";
import { ALL_ROLES, call } from "./server-place.ts";

let place: RunsPlace;
const ids: Record<string, string> = {};

/** What is there: of these the narrowed token sees SEEN alone. */
const SECRETS = [
  { name: "CI_SEEN", tags: ["ci"] },
  { name: "CI_OTHER_TAG", tags: ["prod"] },
  { name: "HIDDEN", tags: ["ci"] },
];

beforeAll(async () => {
  place = await createRunsPlace({
    "seen.yaml": `{ apiVersion: v1, id: seen, secrets: [CI_SEEN], tasks: [${SAY}] }`,
    "hidden.yaml": `{ apiVersion: v1, id: hidden, secrets: [HIDDEN], tasks: [${SAY}] }`,
  });
  for (const { name, tags } of SECRETS) {
    const input = { name, type: "apiKey", fields: { value: `value of ${name}` }, tags } as const;
    ids[name] = (await place.manager.secrets.create(input)).id;
  }
  ids["RUN"] = await startRun("seen");
});
afterAll(async () => await place.close());

const SAY = "{ id: say, type: core/console.log, inputs: { message: hi } }";
/** As text, under the id of a workflow that a narrowed token may see. */
const TEXT = `{ apiVersion: v1, id: seen, secrets: [HIDDEN], tasks: [${SAY}] }`;

/** Starts a run as admin, and waits for its end. */
async function startRun(workflow: string): Promise<string> {
  const token = await place.token("admin");
  const answer = await call(place.app, "POST", "/api/runs", token, { payload: { workflow } });
  const { execution } = answer.json();
  await place.ended(execution);
  return execution;
}

/** Every route and what it needs; any: no more than a token; null: open. Bodies are right, so that only the token decides. */
const ROUTES: readonly (readonly [method: string, url: string, permission: string | null, body?: object])[] = [
  ["GET", "/api/session", "any"],
  ["HEAD", "/api/session/", "any"],
  ["GET", "/api/audit?limit=1", "audit:read"],
  ["HEAD", "/api/audit/?after=1", "audit:read"],
  ["POST", "/api/audit/verify", "audit:read", {}],
  ["GET", "/api/secrets/ID/usage", "secrets:read"],
  ["HEAD", "/api/secrets/ID/usage/", "secrets:read"],
  ["GET", "/api/workflows/WORKFLOW", "runs:read"],
  ["HEAD", "/api/workflows/WORKFLOW/", "runs:read"],
  ["GET", "/api/workflows/WORKFLOW/graph", "runs:read"],
  ["GET", "/api/workflows/WORKFLOW/graph/?format=svg", "runs:read"],
  ["GET", "/api/runs/RUN/secrets", "runs:read"],
  ["HEAD", "/api/runs/RUN/secrets", "runs:read"],
  ["GET", "/api/secrets", "secrets:read"],
  ["GET", "/api/secrets/", "secrets:read"],
  ["HEAD", "/api/secrets", "secrets:read"],
  ["POST", "/api/secrets", "secrets:write", { name: "NEW", value: "v" }],
  ["GET", "/api/secrets/ID", "secrets:read"],
  ["HEAD", "/api/secrets/ID", "secrets:read"],
  ["GET", "/api/secrets/name/CI_SEEN", "secrets:read"],
  ["GET", "/api/secrets/ID/decrypt", "secrets:reveal"],
  ["GET", "/api/secrets/ID/decrypt/", "secrets:reveal"],
  ["PUT", "/api/secrets/ID", "secrets:write", {}],
  ["DELETE", "/api/secrets/00000000-0000-4000-8000-000000000000", "secrets:write"],
  ["GET", "/api/secrets/ID/versions", "secrets:read"],
  ["GET", "/api/secrets/ID/fields", "secrets:read"],
  ["POST", "/api/secrets/ID/rollback", "secrets:write", { to: 1 }],
  ["POST", "/api/secrets/ID/restore", "secrets:write", {}],
  ["GET", "/api/workflows", "runs:read"],
  ["POST", "/api/workflows/check", "runs:text", { workflow: TEXT }],
  ["GET", "/api/runs", "runs:read"],
  ["HEAD", "/api/runs", "runs:read"],
  ["POST", "/api/runs", "runs:start", { workflow: "seen" }],
  ["GET", "/api/runs/RUN", "runs:read"],
  ["HEAD", "/api/runs/RUN/", "runs:read"],
  ["GET", "/api/runs/RUN/events", "runs:read"],
  ["POST", "/api/runs/RUN/cancel", "runs:start", {}],
  ["POST", "/api/runs/RUN/resume", "runs:start", {}],
  ["POST", "/api/runs/RUN/rerun", "runs:start", {}],
  ["GET", "/metrics", "metrics:read"],
  ["GET", "/health/live", null],
  ["GET", "/health/ready", null],
  ["GET", "/openapi.json", null],
  ["GET", "/docs", null],
  ["GET", "/docs/style.css", null],
];

const NOBODIES: readonly string[] = ["no token", "wrong", "expired", "revoked", "not ours"];

describe("W1: who may call what", () => {
  it("every route, with every kind of token", async () => {
    const tokens = new Map<string, string | null>([
      ["no token", null],
      ["wrong", "ak_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"],
      ["not ours", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."],
      ["expired", await place.token("admin", { expiresAt: new Date(Date.now() + 300).toISOString() })],
      ["revoked", await place.token("admin", { name: "revoked" })],
      ["unknown role", await place.token("nothing")],
    ]);
    await place.tokens.revoke("revoked");
    for (const role of ALL_ROLES) tokens.set(role, await place.token(role));
    for (const role of ALL_ROLES) tokens.set(`${role}, narrowed`, await place.token(role, { prefixes: ["CI_"] }));
    const expired = tokens.get("expired") ?? null;
    await expect.poll(async () => (await call(place.app, "GET", "/api/session", expired)).statusCode).toBe(401);
    const figures = { allowed: 0, denied: 0, wrong: [] as string[] };
    for (const [kind, token] of tokens) {
      for (const [method, url, permission, payload] of ROUTES) {
        const path = url
          .replace("ID", ids["CI_SEEN"] ?? "")
          .replace("RUN", ids["RUN"] ?? "")
          .replace("WORKFLOW", "seen");
        const answer = await call(place.app, method, path, token, { ...(payload && { payload }) });
        const role = kind.split(",", 1).join("");
        const isAllowed =
          permission === null ||
          (permission === "any" && !NOBODIES.includes(kind)) ||
          ROLES[role]?.some((one) => one === permission) === true;
        const status = answer.statusCode;
        const isRight = isAllowed
          ? status < 500 && status !== 401 && (status !== 403 || (kind.includes("narrowed") && method === "POST"))
          : status === (NOBODIES.includes(kind) ? 401 : 403) && !/value of|CI_SEEN/.test(answer.body);
        if (isAllowed) figures.allowed += 1;
        else figures.denied += 1;
        if (!isRight) figures.wrong.push(`${kind}: ${method} ${url} ${status}`);
      }
    }
    console.log(`allowed ${figures.allowed}, denied ${figures.denied}, wrong ${figures.wrong.length}`);
    expect(figures.wrong).toEqual([]);
    expect(figures.allowed + figures.denied).toBe(tokens.size * ROUTES.length);
  });

  it("a route that the table above does not have is none", async () => {
    const { paths } = (await call(place.app, "GET", "/openapi.json", null)).json();
    const described = Object.entries<object>(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace(/\/$/, "")}`),
    );
    const known = ROUTES.map(
      ([method, url]) =>
        `${method} ${url
          .replace(/\?.*/, "")
          .replace(/ID|RUN|WORKFLOW|0{8}-[0-9-]+/, "{id}")
          .replace("CI_SEEN", "{name}")
          .replace(/\/$/, "")}`,
    );
    // A webhook is signed instead: runs-access.test.ts.
    expect(described.filter((route) => !known.includes(route))).toEqual(["POST /api/hooks/{id}"]);
  });

  it("narrowed tokens find what they may see, and nothing else", async () => {
    const token = await place.token("admin", { prefixes: ["CI_"], tags: ["ci"] });
    const get = async (path: string) => await call(place.app, "GET", `/api/secrets${path}`, token);
    const list = await get("/");
    expect(list.json().map(({ name }: { name: string }) => name)).toEqual(["CI_SEEN"]);
    expect(String(list.headers["x-total-count"])).toBe("1");
    expect((await get(`/${ids["CI_SEEN"]}/decrypt`)).json().value).toBe("value of CI_SEEN");
    const absent = await get("/00000000-0000-4000-8000-000000000000");
    for (const name of ["CI_OTHER_TAG", "HIDDEN"]) {
      for (const path of [
        `/${ids[name]}`,
        `/${ids[name]}/decrypt`,
        `/${ids[name]}/fields`,
        `/${ids[name]}/versions`,
        `/name/${name}`,
      ]) {
        const answer = await get(path);
        expect([answer.statusCode, answer.json().code]).toEqual([absent.statusCode, absent.json().code]);
      }
      for (const [method, path, payload] of [
        ["PUT", "", { description: "x" }],
        ["DELETE", "", undefined],
        ["POST", "/rollback", { to: 1 }],
      ] as const) {
        const answer = await call(place.app, method, `/api/secrets/${ids[name]}${path}`, token, {
          ...(payload && { payload }),
        });
        expect(answer.statusCode).toBe(404);
      }
    }
    expect((await place.manager.secrets.find("HIDDEN"))?.revision).toBe(1);
  });

  it("narrowed tokens make nothing that they could not see", async () => {
    const token = await place.token("writer", { prefixes: ["CI_"], tags: ["own"] });
    const send = async (method: string, path: string, payload: object) =>
      await call(place.app, method, `/api/secrets${path}`, token, { payload });
    for (const body of [
      { name: "HIDDEN" },
      { name: "CI_X" },
      { name: "CI_X", tags: ["x"] },
      { name: "X", tags: ["own"] },
    ]) {
      const answer = await send("POST", "/", { value: "v", ...body });
      expect([answer.statusCode, answer.json().code]).toEqual([403, "FORBIDDEN"]);
    }
    const { id } = (await send("POST", "/", { name: "CI_X", value: "v", tags: ["own"] })).json();
    for (const change of [{ name: "OUT" }, { tags: [] }]) {
      expect((await send("PUT", `/${id}`, change)).statusCode).toBe(403);
    }
    expect((await send("PUT", `/${id}`, { name: "CI_Y", tags: ["own", "b"] })).statusCode).toBe(200);
  });

  it("narrowed tokens learn of what has a name that it is taken, and no more", async () => {
    const token = await place.token("admin", { prefixes: ["CI_"], tags: ["own"] });
    const send = async (method: string, path: string, payload?: object) =>
      await call(place.app, method, `/api/secrets${path}`, token, payload && { payload });
    const make = async (name: string) =>
      (await send("POST", "/", { name, value: "v", tags: ["own"] })).json<{ id: string }>().id;
    const [deleted, renamed] = [await make("CI_TAKEN"), await make("CI_RENAMED")];
    await send("DELETE", `/${deleted}`);
    const { id } = await place.manager.secrets.create({ name: "CI_TAKEN", type: "apiKey", fields: { value: "v" } });
    for (const [method, path, payload] of [
      ["POST", "/", { name: "CI_TAKEN", value: "v", tags: ["own"] }],
      ["PUT", `/${renamed}`, { name: "CI_TAKEN" }],
      ["POST", `/${deleted}/restore`],
    ] as const) {
      const answer = await send(method, path, payload);
      expect([answer.statusCode, answer.json().code]).toEqual([400, "SECRET_EXISTS"]);
      expect(answer.body).not.toContain(id);
    }
  });

  it("tags that were forged in the database let nothing be seen", async () => {
    const token = await place.token("admin", { tags: ["forged"] });
    const { loadSqlite } = await import("@autokestra/sqlite");
    const database = (await loadSqlite()).open(`${place.folder}/secrets/secrets.db`, { mode: "rw" });
    database.prepare("UPDATE secret_versions SET tags = ? WHERE name = 'HIDDEN'").run(JSON.stringify(["forged"]));
    const get = async (path: string) => await call(place.app, "GET", `/api/secrets${path}`, token);
    expect((await get("/")).json()).toEqual([]);
    expect((await get(`/${ids["HIDDEN"]}`)).statusCode).toBe(404);
    expect((await get(`/${ids["HIDDEN"]}/decrypt`)).statusCode).toBe(404);
    database.prepare("UPDATE secret_versions SET tags = ? WHERE name = 'HIDDEN'").run(JSON.stringify(["ci"]));
    database.close();
  });
});

describe("W3: a token counts only as it is, in one header", () => {
  it.each<[string, (token: string) => { url?: string; headers?: Record<string, string | string[]> }]>([
    ["the beginning of it", (token) => ({ headers: { authorization: `Bearer ${token.slice(0, -1)}` } })],
    ["more than it", (token) => ({ headers: { authorization: `Bearer ${token}a` } })],
    ["in other letters", (token) => ({ headers: { authorization: `Bearer ${token.toUpperCase()}` } })],
    ["without Bearer", (token) => ({ headers: { authorization: token } })],
    ["as Basic", (token) => ({ headers: { authorization: `Basic ${Buffer.from(`x:${token}`).toString("base64")}` } })],
    ["two of them", (token) => ({ headers: { authorization: `Bearer ${token}, Bearer ${token}` } })],
    ["in the query", (token) => ({ url: `/api/secrets?access_token=${token}` })],
    ["in a cookie", (token) => ({ headers: { cookie: `token=${token}; authorization=Bearer ${token}` } })],
    ["in another header", (token) => ({ headers: { "x-api-key": token, "proxy-authorization": `Bearer ${token}` } })],
  ])("%s", async (_, request) => {
    const { url = "/api/secrets", headers = {} } = request(await place.token("admin"));
    const answer = await place.app.inject({ url, headers: { host: "localhost", ...headers } });
    expect([answer.statusCode, answer.json().code]).toEqual([401, "UNAUTHORIZED"]);
  });
});

describe("W8: limits", () => {
  it("refused attempts of an address are limited, and a right token still counts", async () => {
    const app = await place.serve({ refusedPerMinute: 3 });
    const token = await place.token("reader");
    const get = async (bearer: string | null, remoteAddress = "10.0.0.1") =>
      await call(app, "GET", "/api/secrets", bearer, { remoteAddress });
    for (let index = 0; index < 3; index++) expect((await get(null)).statusCode).toBe(401);
    const limited = await get(null);
    expect([limited.statusCode, limited.json().code]).toEqual([429, "RATE_LIMITED"]);
    expect(Number(limited.headers["retry-after"])).toBeGreaterThan(0);
    expect((await get(null, "10.0.0.2")).statusCode).toBe(401);
    expect((await get(token)).statusCode).toBe(200);
    const spoofed = { remoteAddress: "10.0.0.1", headers: { "x-forwarded-for": "1.2.3.4" } };
    expect((await call(app, "GET", "/api/secrets", null, spoofed)).statusCode).toBe(429);
  });

  it("refused attempts of a token, and its requests, are limited", async () => {
    const app = await place.serve({ refusedPerMinute: 3, requestsPerMinute: 10 });
    const reader = await place.token("reader");
    const statuses: number[] = [];
    for (let index = 0; index < 5; index++) {
      statuses.push((await call(app, "GET", `/api/secrets/${ids["HIDDEN"]}/decrypt`, reader)).statusCode);
    }
    expect(statuses).toEqual([403, 403, 403, 429, 429]);
    const other = await place.token("reader");
    for (let index = 0; index < 10; index++)
      expect((await call(app, "GET", "/api/secrets", other)).statusCode).toBe(200);
    expect((await call(app, "GET", "/api/secrets", other)).statusCode).toBe(429);
  });
});

it("roles of the configuration are permissions, too", async () => {
  const app = await place.serve({ roles: { deploy: ["secrets:read", "secrets:reveal"] } });
  const token = await place.token("deploy");
  expect((await call(app, "GET", `/api/secrets/${ids["HIDDEN"]}/decrypt`, token)).statusCode).toBe(200);
  expect((await call(app, "DELETE", `/api/secrets/${ids["HIDDEN"]}`, token)).statusCode).toBe(403);
});

it("refused attempts are recorded", async () => {
  const token = await place.token("reader");
  const denied = await call(place.app, "GET", `/api/secrets/${ids["HIDDEN"]}/decrypt`, token);
  const nobody = await call(place.app, "GET", "/api/secrets", null);
  const found = new Map<string | null, string>();
  for await (const { requestId, actor } of place.manager.audit?.records({ action: "refused" }) ?? []) {
    found.set(requestId, actor.kind);
  }
  expect(found.get(String(denied.headers["x-request-id"]))).toBe("token");
  expect(found.get(String(nobody.headers["x-request-id"]))).toBe("anonymous");
});
