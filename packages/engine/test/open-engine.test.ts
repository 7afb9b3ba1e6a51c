import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseConfig } from "@autokestra/config";
import { defineAction, definePlugin, z } from "@autokestra/plugin-sdk";
import type { RunEvent } from "@autokestra/runs";
import type { AuditRecord } from "@autokestra/secrets";
import { afterEach, beforeEach, expect, it } from "vitest";
import { loadWorkflow, openEngine, parseWorkflow } from "../src/index.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "autokestra-engine-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const KEY = "0123456789abcdef".repeat(4);

function optionsFor(env: NodeJS.ProcessEnv = {}) {
  const storagePath = join(folder, ".workflow/secrets");
  const place = { storagePath, runsPath: join(folder, "runs.db"), keyFolder: null, keepInEnvironment: true };
  return { ...place, env: { AUTOKESTRA_SECRET_KEY: KEY, ...env } };
}

const seen: unknown[] = [];
const plugin = definePlugin({
  name: "test/plugin",
  actions: {
    take: defineAction({
      input: z.object({ values: z.array(z.string()) }),
      run(input) {
        seen.push(input.values);
        return input.values.join(" ");
      },
    }),
  },
});

function writeWorkflow(): string {
  const path = join(folder, "flow.yaml");
  writeFileSync(
    path,
    `apiVersion: v1
id: flow
secrets: [STORED, VARIABLE]
tasks:
  - id: take
    type: test/plugin.take
    inputs:
      values: ["{{ secrets.STORED }}", "{{ secrets.VARIABLE }}"]
`,
  );
  return path;
}

it("takes secrets from the store first, then from the environment; runs, records and masks", async () => {
  const path = writeWorkflow();
  const events: RunEvent[] = [];
  const variables = { STORED: "not this one", VARIABLE: "from-variable" };
  const engine = await openEngine({ ...optionsFor(variables), create: true, plugins: [plugin] });
  await engine.secrets.set({ name: "STORED", type: "apiKey", fields: { value: "from-store" } });
  expect((await engine.check(path)).problems).toEqual([]);
  const result = await engine.run(await loadWorkflow(path), { sink: (event) => void events.push(event) });
  expect([result.status, seen.pop()]).toEqual(["success", ["from-store", "from-variable"]]);
  expect(events.at(-1)).toEqual(result);
  const [recorded] = await engine.history.list();
  expect(recorded).toMatchObject({ workflow: "flow", status: "success" });
  const all = await engine.history.events(recorded?.execution ?? "");
  expect(all.at(-1)).toEqual(result);
  expect(JSON.stringify(all)).not.toMatch(/from-(store|variable)/);
  await engine.close();
  await expect(engine.secrets.get("STORED")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
});

it("asks no variable where the environment is not to be asked, and makes no store", async () => {
  const path = writeWorkflow();
  const variables = { STORED: "a-value", VARIABLE: "b-value" };
  const engine = await openEngine({ ...optionsFor(variables), environment: false, plugins: [plugin] });
  expect((await engine.check(path)).problems).toMatchObject([{ code: "SECRETS_MISSING" }]);
  await expect(engine.run(await loadWorkflow(path))).rejects.toMatchObject({
    code: "SECRETS_MISSING",
    message: "Missing secrets: STORED, VARIABLE",
  });
  expect(await engine.history.list()).toEqual([]);
  await engine.close();
});

it("tells where a run cannot be recorded, and runs it all the same", async () => {
  const path = writeWorkflow();
  writeFileSync(join(folder, "foreign"), "not a run history");
  const told: string[] = [];
  const engine = await openEngine({
    ...optionsFor({ STORED: "a-value", VARIABLE: "b-value" }),
    plugins: [plugin],
    runsPath: join(folder, "foreign"),
  });
  const result = await engine.run(await loadWorkflow(path), { onUnrecorded: ({ code }) => told.push(code) });
  await engine.close();
  expect([result.status, told]).toEqual(["success", ["HISTORY_UNAVAILABLE"]]);
});

async function audited(work: (engine: Awaited<ReturnType<typeof openEngine>>) => Promise<void>, variables = {}) {
  const engine = await openEngine({ ...optionsFor(variables), create: true, plugins: [plugin], audit: true });
  const records: AuditRecord[] = [];
  try {
    await work(engine);
    for await (const record of engine.audit?.records() ?? []) records.push(record);
  } finally {
    await engine.close();
  }
  return records;
}

it("records where each secret of a run came from, before the run has it", async () => {
  const path = writeWorkflow();
  let execution = "";
  const actor = { kind: "token", id: "ci", address: "192.0.2.7" } as const;
  const records = await audited(
    async (engine) => {
      await engine.secrets.set({ name: "STORED", type: "apiKey", fields: { value: "from-store" } });
      ({ execution } = await engine.run(await loadWorkflow(path), { actor, requestId: "r-1" }));
      await engine.run(await loadWorkflow(path));
    },
    // The store has another value of that name: which one counts is recorded.
    { STORED: "not this one", VARIABLE: "from-variable" },
  );
  const ofRun = records.filter((record) => record.execution === execution);
  expect(ofRun.map(({ action, outcome, source, secret }) => [action, outcome, source, secret])).toEqual([
    ["run.start", "intent", "flow", null],
    ["run.resolve", "done", "store", { name: "STORED", id: null, version: "1", fields: ["value"] }],
    ["run.resolve", "done", "environment", { name: "VARIABLE", id: null, version: null, fields: ["value"] }],
    ["run.end", "done", "flow", null],
  ]);
  expect(new Set(ofRun.map((record) => `${record.actor.id} ${record.requestId}`))).toEqual(new Set(["ci r-1"]));
  const [own] = records.slice(-1);
  expect(own).toMatchObject({ actor: { kind: "user", address: null }, requestId: null });
  expect(JSON.stringify(records)).not.toMatch(/from-store|from-variable|not this one/);
});

it("records a run that could not start, and starts none that it cannot record", async () => {
  const path = writeWorkflow();
  const records = await audited(async (engine) => {
    await expect(engine.run(await loadWorkflow(path))).rejects.toMatchObject({ code: "SECRETS_MISSING" });
  });
  expect(records.map(({ action, outcome }) => [action, outcome])).toEqual([
    ["run.start", "intent"],
    ["run.end", "SECRETS_MISSING"],
  ]);
  seen.length = 0;
  await expect(
    audited(
      async (engine) => {
        await engine.secrets.set({ name: "STORED", type: "apiKey", fields: { value: "from-store" } });
        for (const name of readdirSync(join(folder, ".workflow/secrets"))) {
          if (name.startsWith("access.db")) rmSync(join(folder, ".workflow/secrets", name));
        }
        await engine.run(await loadWorkflow(path));
      },
      { VARIABLE: "from-variable" },
    ),
  ).rejects.toMatchObject({ code: "AUDIT_UNAVAILABLE" });
  expect(seen).toEqual([]);
});

it.each([
  ["http: { privateNetworks: deny }", "HTTP_NOT_ALLOWED"],
  ["http: { privateNetworks: deny, allowHosts: ['127.0.0.1:1'] }", "HTTP_NETWORK"],
  ["{}", "HTTP_NETWORK"],
])("lets core/http go where the configuration allows it: %s", async (text, code) => {
  const config = parseConfig(text, join(folder, "autokestra.config.yaml"));
  const engine = await openEngine({ ...optionsFor(), config });
  const get = "{ id: get, type: core/http.get, inputs: { url: 'http://127.0.0.1:1' } }";
  const workflow = parseWorkflow(`{ apiVersion: v1, id: get, tasks: [${get}] }`, "get.yaml");
  expect((await engine.run(workflow)).tasks).toMatchObject({ get: { status: "failed", error: { code } } });
  await engine.close();
});
