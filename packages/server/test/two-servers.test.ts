// @module-tag faults
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Engine, openEngine } from "@autokestra/engine";
import { loadSqlite } from "@autokestra/sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createRunService, openWorkflowFolder, type RunService, serveRuns } from "../src/runs.ts";
import { createRunsPlace, type RunsPlace } from "./runs-place.ts";
import { call } from "./server-place.ts";

const sleep = (id: string, seconds: number) =>
  `{ id: ${id}, type: core/shell.run, inputs: { command: sleep, args: ["${seconds}"] } }`;
const say = (id: string) => `{ id: ${id}, type: core/console.log, inputs: { message: "${id}" } }`;

const FILES = {
  "sleeps.yaml": `{ apiVersion: v1, id: sleeps, tasks: [${say("before")}, ${sleep("a", 60)}], finally: [${say("last")}] }`,
  "ends.yaml": `
    apiVersion: v1
    id: ends
    inputs: { file: { type: string } }
    tasks: [${say("a")}]
    finally:
      - id: last
        type: core/shell.run
        inputs: { command: sh, args: ["-c", 'until [ -e "$0" ]; do sleep 0.05; done', "{{ inputs.file }}"] }
  `,
  "grouped.yaml": `
    apiVersion: v1
    id: grouped
    inputs: { group: { type: string, default: g }, seconds: { type: string, default: "0" } }
    concurrency: { group: "{{ inputs.group }}", busy: queue }
    tasks: [{ id: a, type: core/shell.run, inputs: { command: sleep, args: ["{{ inputs.seconds }}"] } }]
  `,
  "skips.yaml": `{ apiVersion: v1, id: skips, concurrency: { group: g, busy: skip }, tasks: [${say("a")}] }`,
  "cancels.yaml": `{ apiVersion: v1, id: cancels, concurrency: { group: g, busy: cancel }, tasks: [${say("a")}] }`,
  "says.yaml": `{ apiVersion: v1, id: says, tasks: [${say("a")}] }`,
  "fails.yaml": `{ apiVersion: v1, id: fails, tasks: [{ id: a, type: core/shell.run, inputs: { command: "false" } }] }`,
};

let place: RunsPlace;
let admin: string;
/** Another server over the same folder, as another process has it. */
let other: { readonly engine: Engine; readonly runs: RunService; readonly app: RunsPlace["app"] };
/** Runs of the first server that are about to begin wait for it. */
let gate: Promise<void>;
let open: () => void;
/** Whether the first server cannot write who has a group. */
let isBroken: boolean;
const ended: string[] = [];

beforeEach(async () => {
  ended.length = 0;
  gate = Promise.resolve();
  isBroken = false;
  place = await createRunsPlace(FILES, {
    maxRuns: 1,
    onEnded: (status) => void ended.push(status),
    wrap: (engine) => ({
      ...engine,
      queued: {
        ...engine.queued,
        async takeTurn(id) {
          if (isBroken) throw new Error("the history cannot be written");
          return await engine.queued.takeTurn(id);
        },
      },
      async run(workflow, options) {
        await gate;
        return await engine.run(workflow, options);
      },
      async resume(id, options) {
        await gate;
        return await engine.resume(id, options);
      },
    }),
  });
  admin = await place.token("admin");
  const runsPath = join(place.folder, "runs.db");
  const engine = await openEngine({ manager: place.manager, env: {}, environment: false, runsPath });
  const runs = createRunService({ engine, onNotice: (text) => void place.notices.push(text) });
  const workflows = await openWorkflowFolder({
    folder: place.workflows,
    onProblem: () => undefined,
    onChange: () => undefined,
  });
  other = { engine, runs, app: await place.serve({ runs: serveRuns({ engine, runs, workflows }) }) };
});
afterEach(async () => {
  open();
  await other.runs.close(0);
  await other.engine.close();
  await place.close();
});

/** Nothing begins until it is opened. */
function close(): void {
  gate = new Promise((resolve) => {
    open = resolve;
  });
}
open = () => undefined;

const ask = async (method: string, path: string, payload?: object, app = place.app, token = admin) =>
  await call(app, method, `/api/runs${path}`, token, { ...(payload && { payload }) });
const start = async (workflow: string, inputs = {}, app = place.app): Promise<string> =>
  (await ask("POST", "", { workflow, inputs }, app)).json().execution;
const show = async (id: string, app = place.app) => (await ask("GET", `/${id}`, undefined, app)).json();
const statusOf = async (id: string, app = place.app): Promise<string> => (await show(id, app)).status;
const cancel = async (id: string, app = other.app, token = admin) => {
  const { statusCode, body } = await ask("POST", `/${id}/cancel`, undefined, app, token);
  return [statusCode, JSON.parse(body).code ?? JSON.parse(body).execution];
};
const messagesOf = async (id: string): Promise<string[]> =>
  (await ask("GET", `/${id}/events`)).json().map((event: { task?: string; message?: string }) => event.message);
async function untilStarted(id: string, task: string): Promise<void> {
  await expect
    .poll(async () => (await ask("GET", `/${id}/events`)).json())
    .toContainEqual(expect.objectContaining({ event: "task.started", task }));
}
async function recorded(): Promise<[unknown, string][]> {
  const found: [unknown, string][] = [];
  for await (const { execution, outcome } of place.manager.audit?.records({ action: "run.cancel" }) ?? [])
    found.push([execution, outcome]);
  return found;
}
async function change(sql: string): Promise<void> {
  const database = (await loadSqlite()).open(join(place.folder, "runs.db"), { mode: "rw" });
  database.exec(sql);
  database.close();
}

it("a run that goes on ends through any server: once, with `finally`, as cancelled by the user, and goes on later", async () => {
  const id = await start("sleeps");
  await untilStarted(id, "a");
  expect(await cancel(id)).toEqual([202, id]);
  expect(await cancel(id)).toEqual([202, id]);
  await place.ended(id);
  expect(await show(id, other.app)).toMatchObject({ status: "cancelled", cancelledBy: "user" });
  const messages = await messagesOf(id);
  expect(messages.filter((message) => message === "cancelled by another process (user)")).toHaveLength(1);
  expect(messages).toContain("last");
  expect(ended).toEqual(["cancelled"]);
  expect(await cancel(id)).toEqual([409, "RUN_ENDED"]);
  // What has cancelled it does not cancel it again.
  expect((await ask("POST", `/${id}/resume`, {})).statusCode).toBe(202);
  await expect.poll(async () => await statusOf(id)).toBe("running");
  expect((await messagesOf(id)).filter((message) => message?.startsWith("cancelled by"))).toHaveLength(1);
  expect(await cancel(id, place.app)).toEqual([202, id]);
  await place.ended(id);
  const outcomes = ["intent", "done", "intent", "done", "intent", "RUN_ENDED", "intent", "done"];
  expect(await recorded()).toEqual(outcomes.map((outcome) => [id, outcome]));
});

it("a run in `finally` goes on to its end", async () => {
  const file = join(place.folder, "may-end");
  const id = await start("ends", { file });
  await untilStarted(id, "last");
  expect(await cancel(id)).toEqual([202, id]);
  await expect.poll(async () => await messagesOf(id)).toContain("cancelled by another process (user)");
  writeFileSync(file, "");
  await place.ended(id);
  expect(await statusOf(id)).toBe("success");
});

it("a run that is about to begin does not, wherever it is cancelled", async () => {
  close();
  const id = await start("says");
  expect(await statusOf(id)).toBe("queued");
  expect(await cancel(id)).toEqual([202, id]);
  expect(await statusOf(id, other.app)).toBe("cancelled");
  open();
  await place.ended(id);
  close();
  const own = await start("says");
  expect(await cancel(own, place.app)).toEqual([202, own]);
  open();
  await place.ended(own);
  for (const run of [id, own]) {
    expect(await show(run)).toMatchObject({ status: "cancelled", cancelledBy: "user" });
    expect((await messagesOf(run))[1]).toMatch(/^cancelled before it (began \(user\)|started)$/);
  }
  expect(ended).toEqual(["cancelled", "cancelled"]);
  expect(place.notices).toEqual([]);
});

it("a run that waits to go on, or is about to, stays as it was", async () => {
  const id = await start("fails");
  await place.ended(id);
  close();
  expect((await ask("POST", `/${id}/resume`, {})).statusCode).toBe(202);
  expect(await cancel(id)).toEqual([202, id]);
  open();
  await place.ended(id);
  expect(await statusOf(id)).toBe("failed");
  expect((await messagesOf(id)).filter((message) => message?.startsWith("workflow"))).toHaveLength(1);
});

it("a run that waits leaves the queue of its server, and the next one begins", async () => {
  close();
  const [first, waits, next] = [await start("says"), await start("says"), await start("says")];
  expect(await cancel(waits)).toEqual([202, waits]);
  expect(await statusOf(waits, other.app)).toBe("cancelled");
  await expect.poll(() => place.runs.counts()).toEqual({ running: 1, waiting: 1 });
  open();
  for (const id of [first, next]) await place.ended(id);
  expect([await statusOf(first), await statusOf(waits), await statusOf(next)]).toEqual([
    "success",
    "cancelled",
    "success",
  ]);
  expect(ended.toSorted()).toEqual(["cancelled", "success", "success"]);
});

it("a run that is lost cannot be cancelled; one of another host may be", async () => {
  const id = await start("sleeps");
  await untilStarted(id, "a");
  await change("UPDATE run_records SET pid = 999999999");
  expect(await cancel(id)).toEqual([409, "RUN_ENDED"]);
  expect((await ask("POST", `/${id}/cancel`, undefined, other.app)).json().detail).toContain("is lost");
  await change("UPDATE run_records SET host = 'other'");
  expect(await statusOf(id, other.app)).toBe("unknown");
  expect(await cancel(id)).toEqual([202, id]);
  await place.ended(id);
  expect(await statusOf(id, other.app)).toBe("cancelled");
});

it("is refused and recorded for who may not, and for runs that are not there", async () => {
  const id = await start("sleeps");
  await untilStarted(id, "a");
  const [reader, runner] = [await place.token("reader"), await place.token("runner")];
  expect(await cancel(id, other.app, reader)).toEqual([403, "FORBIDDEN"]);
  const none = crypto.randomUUID();
  expect(await cancel(none, other.app, runner)).toEqual([404, "RUN_NOT_FOUND"]);
  expect(await recorded()).toEqual([
    [none, "intent"],
    [none, "RUN_NOT_FOUND"],
  ]);
  expect(await statusOf(id)).toBe("running");
  expect(await cancel(id, other.app, runner)).toEqual([202, id]);
  await place.ended(id);
});

it("a key that the other server has is refused to another request", async () => {
  const send = async (app: typeof place.app, payload: object) =>
    await call(app, "POST", "/api/runs", admin, { headers: { "idempotency-key": "one" }, payload });
  const first = await send(place.app, { workflow: "grouped", inputs: { seconds: "0" } });
  const again = await send(other.app, { workflow: "grouped", inputs: { seconds: "0" } });
  expect([again.statusCode, again.json()]).toEqual([202, first.json()]);
  for (const payload of [{ workflow: "grouped", inputs: { seconds: "1" } }, { workflow: "skips" }]) {
    const answer = await send(other.app, payload);
    expect([answer.statusCode, answer.json().code]).toEqual([422, "IDEMPOTENCY_KEY_REUSED"]);
  }
  await place.ended(first.json().execution);
});

describe("a group", () => {
  it("is one over both servers: a run waits for that of the other one, and others pass", async () => {
    const first = await start("grouped", { seconds: "60" });
    await untilStarted(first, "a");
    const second = await start("grouped", {}, other.app);
    const free = await start("grouped", { group: "another" }, other.app);
    await expect.poll(async () => await statusOf(free, other.app)).toBe("success");
    expect(await statusOf(second, other.app)).toBe("queued");
    expect(other.runs.counts()).toEqual({ running: 0, waiting: 1 });
    expect(await cancel(first)).toEqual([202, first]);
    await expect.poll(async () => await statusOf(second, other.app)).toBe("success");
    const [one, two] = [await show(first), await show(second, other.app)];
    expect(two.startedAt >= one.finishedAt).toBe(true);
  });

  it("that skips refuses a run while the other server has one, under its key too", async () => {
    const first = await start("grouped", { seconds: "60" });
    await untilStarted(first, "a");
    const headers = { "idempotency-key": "k" };
    const again = async () =>
      await call(other.app, "POST", "/api/runs", admin, { headers, payload: { workflow: "skips" } });
    for (const answer of [await again(), await again()])
      expect([answer.statusCode, answer.json().code]).toEqual([409, "RUN_LEFT_OUT"]);
    await cancel(first);
    await place.ended(first);
    expect((await again()).statusCode).toBe(202);
  });

  it("that cancels ends the run of the other server, and those that wait there", async () => {
    const first = await start("grouped", { seconds: "60" });
    await untilStarted(first, "a");
    const waits = await start("grouped");
    const last = await start("cancels", {}, other.app);
    await expect.poll(async () => await statusOf(last, other.app)).toBe("success");
    await place.ended(first);
    for (const id of [first, waits])
      expect(await show(id)).toMatchObject({ status: "cancelled", cancelledBy: "superseded" });
    expect(place.runs.counts()).toEqual({ running: 0, waiting: 0 });
  });

  it("does not wait for a run that is lost", async () => {
    const first = await start("grouped", { seconds: "60" });
    await untilStarted(first, "a");
    const second = await start("grouped", {}, other.app);
    await expect.poll(() => other.runs.counts()).toEqual({ running: 0, waiting: 1 });
    await change("UPDATE run_records SET pid = 999999999 WHERE status = 'running'");
    await expect.poll(async () => await statusOf(second, other.app)).toBe("success");
  });

  it("is waited for while nobody knows whether another run has it", async () => {
    isBroken = true;
    const id = await start("grouped");
    await expect.poll(() => place.runs.counts()).toEqual({ running: 0, waiting: 1 });
    isBroken = false;
    await expect.poll(async () => await statusOf(id)).toBe("success");
  });

  it("runs many one at a time, from both servers, and loses none", async () => {
    const apps = Array.from({ length: 12 }, (_, index) => (index % 2 === 0 ? place.app : other.app));
    const ids = await Promise.all(apps.map(async (app) => await start("grouped", {}, app)));
    for (const id of ids) await expect.poll(async () => await statusOf(id)).toBe("success");
    const runs = await Promise.all(ids.map(async (id) => await show(id)));
    const inOrder = runs.toSorted((a, b) => (a.startedAt < b.startedAt ? -1 : 1));
    for (const [at, run] of inOrder.slice(1).entries()) expect(run.startedAt >= inOrder[at]?.finishedAt).toBe(true);
  });
});
