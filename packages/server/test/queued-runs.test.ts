import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { loadSqlite } from "@autokestra/sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createRunService, type RunService, serveRuns } from "../src/runs.ts";
import { createRunsPlace, type RunsPlace } from "./runs-place.ts";
import { call } from "./server-place.ts";

const task = (command: string) =>
  `tasks: [{ id: a, type: core/shell.run, inputs: { command: ${command.split(" ")[0]}, args: [${command
    .split(" ")
    .slice(1)
    .map((part) => JSON.stringify(part))
    .join(", ")}] } }]`;

const FILES = {
  "sleeps.yaml": `{ apiVersion: v1, id: sleeps, ${task("sleep 60")} }`,
  "asks.yaml": `{ apiVersion: v1, id: asks, inputs: { password: { type: string, secret: true } }, tasks: [{ id: a, type: core/console.log, inputs: { message: "{{ inputs.password }}" } }] }`,
  "fails.yaml": `{ apiVersion: v1, id: fails, ${task("false")} }`,
  "grouped.yaml": `{ apiVersion: v1, id: grouped, concurrency: { group: g, busy: queue }, ${task("sleep 0.2")} }`,
};

let place: RunsPlace;
let admin: string;
const others: RunService[] = [];

beforeEach(async () => {
  place = await createRunsPlace(FILES, { maxRuns: 1 });
  admin = await place.token("admin");
});
afterEach(async () => {
  for (const other of others.splice(0)) await other.close(0);
  await place.close();
});

const ask = async (method: string, path: string, payload?: object, headers = {}, app = place.app) =>
  await call(app, method, path, admin, { headers, ...(payload && { payload }) });

async function start(workflow: string, inputs = {}, headers = {}): Promise<string> {
  return (await ask("POST", "/api/runs", { workflow, inputs }, headers)).json().execution;
}

const get = async (path: string, app = place.app) => await ask("GET", path, undefined, {}, app);
const statusOf = async (id: string, app = place.app) => (await get(`/api/runs/${id}`, app)).json().status;

/** Starts a run that goes on for long, so that all others wait. */
async function occupy(): Promise<string> {
  const id = await start("sleeps");
  await expect.poll(async () => await statusOf(id)).toBe("running");
  return id;
}

/** Changes the rows of runs that wait. */
async function change(sql: string): Promise<void> {
  const database = (await loadSqlite()).open(join(place.folder, "runs.db"), { mode: "rw" });
  database.prepare(`UPDATE queued_runs SET ${sql}`).run();
  database.close();
}

interface Server {
  readonly runs: RunService;
  readonly app: RunsPlace["app"];
}

/** Another server over the same history. */
async function serve(): Promise<Server> {
  const runs = createRunService({ engine: place.engine, onNotice: (text) => void place.notices.push(text) });
  others.push(runs);
  return { runs, app: await place.serve({ runs: serveRuns({ engine: place.engine, runs, workflows: null }) }) };
}

/** The same, which takes the first one for lost. */
async function recover(more = ""): Promise<Server> {
  await change(`pid = 999999999${more}`);
  const server = await serve();
  await server.runs.recover();
  return server;
}

const endedOn = async ({ runs }: Server, id: string) => await expect.poll(() => runs.active(id)).toBeNull();

describe("runs that wait", () => {
  it("are told as queued, on every server, and listed in their order", async () => {
    await occupy();
    const ids = [await start("asks", { password: "p" }), await start("grouped")];
    const list = async (query = "") => (await ask("GET", `/api/runs?status=queued${query}`)).json();
    expect(await list()).toMatchObject(ids.map((execution) => ({ execution, status: "queued", startedAt: null })));
    expect(await list("&workflow=grouped")).toMatchObject([{ execution: ids[1] }]);
    const { app } = await serve();
    const elsewhere = await call(app, "GET", `/api/runs/${ids[0]}`, admin);
    expect(elsewhere.json()).toMatchObject({ execution: ids[0], workflow: "asks", status: "queued" });
    expect((await call(app, "POST", `/api/runs/${ids[0]}/cancel`, admin)).statusCode).toBe(202);
    expect(await list()).toMatchObject([{ execution: ids[1] }]);
    await expect.poll(() => place.runs.counts()).toMatchObject({ waiting: 1 });
    expect(await statusOf(String(ids[0]))).toBe("cancelled");
    await ask("POST", `/api/runs/${ids[1]}/cancel`);
    expect(await list()).toEqual([]);
  });

  it("are on the disk without what their inputs are", async () => {
    await occupy();
    await start("asks", { password: "canary-of-the-input" });
    await start(
      `{ apiVersion: v1, id: text, tasks: [{ id: a, type: core/console.log, inputs: { message: canary-of-the-text } }] }`,
    );
    const bytes = ["", "-wal"]
      .map((end) => readFileSync(join(place.folder, `runs.db${end}`)).toString("latin1"))
      .join();
    expect(bytes).not.toContain("canary-of-the");
  });

  it("go on elsewhere once their server is lost, and their keys stay theirs", async () => {
    await occupy();
    const key = { "idempotency-key": "k" };
    const id = await start("asks", { password: "canary" }, key);
    const text = await start(`{ apiVersion: v1, id: text, ${task("true")} }`);
    const other = await recover();
    await endedOn(other, id);
    await endedOn(other, text);
    expect([await statusOf(id, other.app), await statusOf(text, other.app)]).toEqual(["success", "success"]);
    expect(await start("asks", { password: "canary" }, key)).toBe(id);
    // The first server is not lost after all: it has none of them any more.
    for (const { execution } of (await get("/api/runs?status=running")).json()) {
      await ask("POST", `/api/runs/${execution}/cancel`);
    }
    await expect.poll(() => place.runs.counts()).toEqual({ running: 0, waiting: 0 });
    const events: { event: string }[] = (await ask("GET", `/api/runs/${id}/events`)).json();
    expect(events.filter(({ event }) => event === "run.started")).toHaveLength(1);
  });

  it("go on as what they were: resumed, run again, one of a group at a time", async () => {
    const failed = await start("fails");
    await place.ended(failed);
    await occupy();
    const again = (await ask("POST", `/api/runs/${failed}/rerun`, {})).json().execution;
    expect((await ask("POST", `/api/runs/${failed}/resume`, {})).statusCode).toBe(202);
    expect(await statusOf(failed)).toBe("queued");
    expect((await ask("POST", `/api/runs/${failed}/resume`, {})).json().code).toBe("RUN_NOT_RESUMABLE");
    const grouped = [await start("grouped"), await start("grouped")];
    const other = await recover();
    expect(other.runs.counts()).toMatchObject({ waiting: 1 });
    for (const id of [failed, again, ...grouped]) await endedOn(other, id);
    expect([await statusOf(failed, other.app), await statusOf(again, other.app)]).toEqual(["failed", "failed"]);
    const [first, second] = await Promise.all(
      grouped.map(async (id) => (await get(`/api/runs/${id}`, other.app)).json()),
    );
    expect(second.startedAt >= first.finishedAt).toBe(true);
  });

  it.each([
    ["nothing was kept of it", ", key_id = NULL, start = NULL", "nothing was kept of it"],
    [
      "what was kept does not open",
      ", start = x'00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff'",
      "nothing was kept",
    ],
    ["its key is gone", ", key_id = 'none'", "nothing was kept"],
  ])("are told as failed where %s", async (_, sql, reason) => {
    await occupy();
    const id = await start("asks", { password: "p" });
    const { app } = await recover(sql);
    expect(await statusOf(id, app)).toBe("failed");
    expect((await get(`/api/runs/${id}/events`, app)).body).toContain(reason);
    expect((await ask("GET", "/api/runs?status=queued")).json()).toEqual([]);
  });

  it("are told as failed where their workflow is gone, without its path", async () => {
    await occupy();
    const id = await start("asks", { password: "p" });
    rmSync(join(place.workflows, "asks.yaml"));
    const { app } = await recover();
    expect(await statusOf(id, app)).toBe("failed");
    const { body } = await get(`/api/runs/${id}/events`, app);
    expect(body).toContain("can no longer be read");
    expect(body).not.toContain(place.workflows);
  });
});

describe("what cannot run again is refused at once", () => {
  it.each([
    ["nothing was kept", async (id: string) => await wipe(id), "resume", {}, 409, "RUN_NOT_RESUMABLE"],
    [
      "nothing was kept, from a task on",
      async (id: string) => await wipe(id),
      "rerun",
      { from: "a" },
      409,
      "RUN_NOT_RESUMABLE",
    ],
    ["there is no such task", async () => undefined, "rerun", { from: "b" }, 400, "TASK_NOT_FOUND"],
  ])("where %s", async (_, prepare, action, body, status, code) => {
    const id = await start("fails");
    await place.ended(id);
    await prepare(id);
    const answer = await ask("POST", `/api/runs/${id}/${action}`, body);
    expect([answer.statusCode, answer.json().code]).toEqual([status, code]);
    expect(await statusOf(id)).toBe("failed");
  });

  it("where the workflow is gone, with a reason and without its path", async () => {
    const id = await start("fails");
    await place.ended(id);
    rmSync(join(place.workflows, "fails.yaml"));
    for (const action of ["resume", "rerun"]) {
      const answer = await ask("POST", `/api/runs/${id}/${action}`, {});
      expect([answer.statusCode, answer.json().code]).toEqual([409, "RUN_NOT_RESUMABLE"]);
      expect(answer.body).not.toContain(place.folder);
    }
  });

  async function wipe(id: string): Promise<void> {
    const database = (await loadSqlite()).open(join(place.folder, "runs.db"), { mode: "rw" });
    database.prepare("DELETE FROM kept WHERE run_id = ?").run(id);
    database.close();
  }
});

it("a run that is resumed belongs to its group", async () => {
  const id = await start("grouped");
  await expect.poll(() => place.runs.active(id)?.status).toBe("running");
  await ask("POST", `/api/runs/${id}/cancel`);
  await place.ended(id);
  const wide = await serve();
  const by = { actor: { kind: "user", id: "ada", address: null } } as const;
  await wide.runs.resume({ execution: id, workflow: "grouped", file: join(place.workflows, "grouped.yaml") }, by);
  const again = await wide.runs.rerun({ execution: id, workflow: "grouped", file: null }, undefined, by);
  expect(wide.runs.counts()).toEqual({ running: 1, waiting: 1 });
  for (const one of [id, again.id]) await endedOn(wide, one);
  expect((await get(`/api/runs/${again.id}`)).json().status).toBe("success");
});
