import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRunsPlace, type RunsPlace } from "./runs-place.ts";
import { call } from "./server-place.ts";

const say = (message: string, more = "") =>
  `{ id: say, type: core/console.log, inputs: { message: "${message}" }${more} }`;

let place: RunsPlace;
let admin: string;
let narrowed: string;

beforeAll(async () => {
  place = await createRunsPlace(
    {
      "deploy.yaml": `
apiVersion: v1
id: deploy
secrets: [CI_TOKEN]
inputs:
  environment: { type: string, description: where to, enum: [staging, production], default: staging }
  version: { type: string, pattern: "^v", min: 2, max: 9 }
  password: { type: string, secret: true }
trigger: { type: cron, cron: "0 6 * * *", timeZone: Europe/Berlin }
tasks:
  - { id: build, type: core/console.log, inputs: { message: "with {{ secrets.CI_TOKEN }}" } }
  - { id: child, type: core/workflow.call, needs: [build], inputs: { file: called/child.yaml } }
finally:
  - { id: end, type: core/console.log, inputs: { message: "{{ inputs.password }}" } }
`,
      "hidden.yaml": `{ apiVersion: v1, id: hidden, secrets: [CI_TOKEN, HIDDEN], tasks: [${say("{{ secrets.HIDDEN }} {{ secrets.CI_TOKEN }}")}] }`,
      "sleeps.yaml": `{ apiVersion: v1, id: sleeps, tasks: [{ id: wait, type: core/shell.run, inputs: { command: sleep, args: ["60"] } }] }`,
    },
    { maxRuns: 1 },
  );
  mkdirSync(join(place.workflows, "called"));
  const child = `{ apiVersion: v1, id: child, secrets: [CI_TOKEN], tasks: [${say("hi", ', if: "1 < 2"')}] }`;
  writeFileSync(join(place.workflows, "called/child.yaml"), child);
  for (const name of ["CI_TOKEN", "HIDDEN"]) {
    await place.manager.secrets.create({ name, type: "apiKey", fields: { value: `value of ${name}` } });
  }
  admin = await place.token("admin");
  narrowed = await place.token("admin", { prefixes: ["CI_"] });
});
afterAll(async () => await place.close());

const get = async (path: string, token = admin, headers = {}) => await call(place.app, "GET", path, token, { headers });
const idOf = async (name: string) => (await get(`/api/secrets/name/${name}`)).json().id;

async function start(workflow: string, inputs = {}): Promise<string> {
  const started = await call(place.app, "POST", "/api/runs", admin, { payload: { workflow, inputs } });
  expect([started.statusCode, started.body]).toEqual([202, expect.any(String)]);
  return started.json().execution;
}

describe("a workflow", () => {
  it("tells what it takes, and what starts it", async () => {
    const { statusCode, body } = await get("/api/workflows/deploy");
    expect(statusCode).toBe(200);
    expect(JSON.parse(body)).toEqual({
      id: "deploy",
      file: "deploy.yaml",
      enabled: true,
      secrets: ["CI_TOKEN"],
      inputs: {
        environment: {
          type: "string",
          description: "where to",
          enum: ["staging", "production"],
          default: "staging",
          secret: false,
          required: false,
        },
        version: { type: "string", pattern: "^v", min: 2, max: 9, secret: false, required: true },
        password: { type: "string", secret: true, required: true },
      },
      trigger: { type: "cron", cron: "0 6 * * *", timeZone: "Europe/Berlin" },
      nextTime: null,
      problem: null,
      problems: expect.not.arrayContaining([expect.objectContaining({ severity: "error" })]),
    });
    expect((await get("/api/workflows")).json()).toContainEqual(JSON.parse(body));
  });

  it("has the problems that a check finds, also of secrets that come and go", async () => {
    const { secrets } = place.manager;
    const broken = join(place.workflows, "broken.yaml");
    const task = "{ id: say, type: core/console.lgo, inputs: { message: hi } }";
    writeFileSync(broken, `{ apiVersion: v1, id: broken, secrets: [CI_LATER], tasks: [\n${task}] }`);
    const problems = async (token = admin) => {
      const answer = await get("/api/workflows/broken", token);
      const { body } = answer;
      return answer.statusCode === 200 ? JSON.parse(body).problems : [];
    };
    const codes = async () => {
      const found: { severity: string; code: string }[] = await problems();
      return found.flatMap(({ severity, code }) => (severity === "error" ? [code] : [])).sort();
    };
    await expect.poll(codes, { timeout: 30_000 }).toEqual(["SECRETS_MISSING", "WORKFLOW_INVALID"]);
    expect(await problems()).toContainEqual({
      severity: "error",
      code: "WORKFLOW_INVALID",
      message: expect.stringContaining("core/console.lgo"),
      hint: expect.stringContaining("core/console.log"),
      line: 2,
      column: expect.any(Number),
    });
    const message = "A token that is not narrowed gets the details";
    expect(await problems(narrowed)).toContainEqual({ severity: "error", code: "WORKFLOW_INVALID", message });
    expect(JSON.stringify(await problems(narrowed))).not.toContain("lgo");
    await secrets.create({ name: "CI_LATER", type: "apiKey", fields: { value: "later" } });
    await expect.poll(codes, { timeout: 30_000 }).toEqual(["WORKFLOW_INVALID"]);
    writeFileSync(broken, `{ apiVersion: v1, id: broken, secrets: [], tasks: [${say("mended")}] }`);
    await expect.poll(codes, { timeout: 30_000 }).toEqual([]);
    rmSync(broken);
  });

  it("that cannot be seen is not there", async () => {
    const absent = await get("/api/workflows/nothing", narrowed);
    for (const path of ["/api/workflows/hidden", "/api/workflows/hidden/graph", "/api/workflows/child"]) {
      const answer = await get(path, narrowed);
      expect([answer.statusCode, answer.json().code]).toEqual([404, absent.json().code]);
    }
    expect((await get("/api/workflows/hidden/graph")).statusCode).toBe(200);
  });

  it("is drawn as nodes and edges, with those that it calls", async () => {
    expect((await get("/api/workflows/deploy/graph", narrowed)).json()).toMatchObject({
      id: "deploy",
      sections: [
        {
          list: "tasks",
          nodes: [
            { id: "build", type: "core/console.log", notes: [], calls: null },
            { id: "child", calls: { id: "child", sections: [{ nodes: [{ id: "say", notes: ["if 1 < 2"] }] }] } },
          ],
          edges: [[0, 1]],
        },
        { list: "finally", nodes: [{ id: "end" }] },
      ],
    });
  });

  it.each([
    ["?format=svg", "*/*", "image/svg+xml", /^<svg/],
    ["", "image/svg+xml", "image/svg+xml", /^<svg/],
    ["?format=mermaid", "image/svg+xml", "text/vnd.mermaid", /^flowchart/],
    ["", "text/vnd.mermaid;q=0.9", "text/vnd.mermaid", /^flowchart/],
    ["?format=json", "image/svg+xml", "application/json", /^\{/],
    ["", "text/html,*/*", "application/json", /^\{/],
  ])("is drawn for '%s' and %s as %s", async (query, accept, type, beginning) => {
    const { headers, body } = await get(`/api/workflows/deploy/graph${query}`, admin, { accept });
    expect([headers["content-type"], headers["vary"]]).toEqual([expect.stringContaining(type), "Accept"]);
    expect(body).toMatch(beginning);
    expect(body).not.toContain("inputs.password");
  });

  it("is not drawn in another format", async () => {
    expect((await get("/api/workflows/deploy/graph?format=png")).statusCode).toBe(400);
  });
});

describe("the workflows that use a secret", () => {
  it("are those that declare it, with the tasks that refer to it", async () => {
    const path = `/api/secrets/${await idOf("CI_TOKEN")}/usage`;
    const deploy = { workflow: "deploy", file: "deploy.yaml", tasks: ["build", "child"] };
    expect((await get(path)).json()).toEqual([deploy, { workflow: "hidden", file: "hidden.yaml", tasks: ["say"] }]);
    expect((await get(path, narrowed)).json()).toEqual([deploy]);
  });

  it("are not told of a secret that cannot be seen", async () => {
    const hidden = `/api/secrets/${await idOf("HIDDEN")}/usage`;
    const absent = await get(`/api/secrets/${crypto.randomUUID()}/usage`, narrowed);
    const answer = await get(hidden, narrowed);
    expect([answer.statusCode, answer.json().code]).toEqual([404, absent.json().code]);
    expect((await get(hidden)).json()).toMatchObject([{ workflow: "hidden" }]);
  });
});

describe("the secrets of a run", () => {
  it("are told with their sources and uses, and without their values", async () => {
    const id = await start("deploy", { version: "v1", password: "canary of the input" });
    await place.ended(id);
    const { body } = await get(`/api/runs/${id}/secrets`, narrowed);
    expect(JSON.parse(body)).toMatchObject([
      {
        name: "CI_TOKEN",
        source: "store",
        uses: [{ task: "build", path: "message" }],
        maskedIn: { build: { count: 1 } },
      },
      { source: "run", version: null, masked: { count: 1 } },
    ]);
    expect(body).not.toMatch(/canary|value of/);
  });

  it("are none while it waits, and not there for a run that cannot be seen", async () => {
    const running = await start("sleeps");
    const waiting = await start("hidden");
    expect((await get(`/api/runs/${waiting}/secrets`)).json()).toEqual([]);
    for (const id of [waiting, crypto.randomUUID()]) {
      const answer = await get(`/api/runs/${id}/secrets`, narrowed);
      expect([answer.statusCode, answer.json().code]).toEqual([404, "RUN_NOT_FOUND"]);
    }
    for (const id of [running, waiting]) await call(place.app, "POST", `/api/runs/${id}/cancel`, admin);
    await place.ended(waiting);
  });
});

describe("a session", () => {
  it("tells what a token may do", async () => {
    const expiresAt = "2099-01-01T00:00:00.000Z";
    const token = await place.token("runner", { name: "told", prefixes: ["CI_"], tags: ["ci"], expiresAt });
    expect((await get("/api/session", token)).json()).toEqual({
      kind: "token",
      id: (await place.tokens.list()).find(({ name }) => name === "told")?.id,
      name: "told",
      roles: ["runner"],
      permissions: ["runs:read", "runs:start"],
      prefixes: ["CI_"],
      tags: ["ci"],
      expiresAt,
      parts: { runs: true, audit: true },
    });
    const plain = await place.serve({ audit: null });
    const { body } = await call(plain, "GET", "/api/session", token);
    expect(JSON.parse(body).parts).toEqual({ runs: false, audit: false });
    for (const path of ["/api/audit", "/api/workflows"]) {
      expect((await call(plain, "GET", path, admin)).statusCode).toBe(404);
    }
  });
});
