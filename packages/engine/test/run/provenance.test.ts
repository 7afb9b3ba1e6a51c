import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { defineAction, definePlugin, z } from "@autokestra/plugin-sdk";
import { corePlugins } from "@autokestra/plugins-core";
import { type RunEvent, type SecretProvenance, secretsOfRun } from "@autokestra/runs";
import { createEnvironmentSource } from "@autokestra/secrets-resolver";
import { temporaryFolder } from "@autokestra/test-kit";
import { expect, it } from "vitest";
import { loadWorkflow, runWorkflow } from "../../src/index.ts";

const TOKEN = "canary-of-a-t0ken-1";
const DB = "canary-of-a-d8-2";

const CALLER = `
apiVersion: v1
id: w
secrets: [TOKEN, DB, UNUSED]
tasks:
  - { id: quiet, type: test/do.echo, inputs: { nested: { list: ["x", "Bearer {{ secrets.TOKEN }}"] } } }
  - { id: each, type: core/console.log, forEach: [1, 2, 3], if: item != 2, inputs: { message: "{{ item }} {{ secrets.TOKEN }} {{ secrets.DB | base64 }}" } }
  - { id: lists, type: core/console.log, needs: [quiet], forEach: ["{{ secrets.DB }}"], inputs: { message: "{{ item }}" } }
  - { id: prints, type: test/do.print, inputs: { text: "{{ secrets.DB }}" } }
  - { id: left, type: core/console.log, if: false == true, inputs: { message: "{{ secrets.UNUSED }}" } }
  - { id: child, type: core/workflow.call, inputs: { file: ./child.yaml } }
outputs: { token: "{{ secrets.TOKEN }}" }
`;

const CHILD = `
apiVersion: v1
id: child
secrets: [DB]
tasks: [{ id: say, type: core/console.log, inputs: { message: "{{ secrets.DB }}" } }]
outputs: { db: "{{ secrets.DB }}" }
`;

const echo = defineAction({ input: z.looseObject({}), run: (input) => input });
const print = defineAction({
  input: z.object({ text: z.string() }),
  // Not with `console`, which the test runner replaces.
  run: ({ text }) => process.stdout.write(`${text}\n`),
});

async function tryIt(
  as: "log" | "text",
): Promise<{ secrets: readonly SecretProvenance[]; events: readonly RunEvent[] }> {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "w.yaml"), CALLER);
  writeFileSync(join(folder, "child.yaml"), CHILD);
  const events: RunEvent[] = [];
  await runWorkflow(await loadWorkflow(join(folder, "w.yaml")), {
    sources: [createEnvironmentSource({ TOKEN, DB, UNUSED: "canary-unused-3" })],
    plugins: [...corePlugins, definePlugin({ name: "test/do", actions: { echo, print } })],
    maskProcessOutput: { as, keepSeconds: 0, write: () => undefined },
    sink: (event) => void events.push(event),
  });
  return { secrets: secretsOfRun(events), events };
}

it.each(["log", "text"] as const)("tells of each secret where it was used and masked (prints as %s)", async (as) => {
  const { secrets, events } = await tryIt(as);
  const [token, db, unused] = secrets;
  expect(token).toEqual({
    name: "TOKEN",
    source: "environment",
    version: null,
    binding: null,
    staleSeconds: null,
    uses: [
      { task: null, path: "outputs.token" },
      { task: "quiet", path: "nested.list.1" },
      { task: "each", path: "message" },
    ],
    masked: { count: 4, variants: ["value"] },
    maskedIn: {
      "each[0]": { count: 1, variants: ["value"] },
      "each[2]": { count: 1, variants: ["value"] },
      quiet: { count: 1, variants: ["value"] },
    },
    leases: [],
  });
  // Tasks that run at the same time use it in any order.
  expect(new Set(db?.uses)).toEqual(
    new Set([
      { task: "each", path: "message" },
      { task: "prints", path: "text" },
      { task: "child", path: "outputs.db" },
      { task: "child/say", path: "message" },
      { task: "lists", path: "forEach.0" },
    ]),
  );
  expect(Object.fromEntries(Object.entries(db?.maskedIn ?? {}).map(([id, { count }]) => [id, count]))).toEqual({
    "each[0]": 1,
    "each[2]": 1,
    prints: 1,
    "child/say": 1,
    child: 1,
    "lists[0]": 1,
  });
  expect(unused).toMatchObject({ uses: [], masked: { count: 0, variants: [] }, maskedIn: {} });
  expect(JSON.stringify([secrets, events])).not.toMatch(/canary|Y2FuYXJ5/);
});

it("tells of a run that was cut off what is known", async () => {
  const { events } = await tryIt("log");
  const [token] = secretsOfRun(events.filter(({ event }) => event !== "run.finished"));
  expect(token).toMatchObject({ masked: { count: 2, variants: ["value"] }, source: "environment" });
});
