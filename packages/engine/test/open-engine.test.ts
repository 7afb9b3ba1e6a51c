import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineAction, definePlugin, z } from "@autokestra/plugin-sdk";
import type { RunEvent } from "@autokestra/runs";
import { afterEach, beforeEach, expect, it } from "vitest";
import { loadWorkflow, openEngine } from "../src/index.ts";

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
