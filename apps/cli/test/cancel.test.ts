// @module-tag faults
import type { ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSandbox, type Sandbox } from "./run-cli.ts";
import { type Served, serve } from "./served.ts";

type Answer = ReturnType<typeof JSON.parse>;

/** `wait` goes on until there is a file `go`; `last` says what the run has come to. */
const SLOW = `
apiVersion: v1
id: slow
tasks:
  - { id: first, type: core/console.log, inputs: { message: first } }
  - id: wait
    type: core/shell.run
    needs: [first]
    inputs: { command: sh, args: [-c, 'until [ -e "$0" ]; do sleep 0.05; done', GO] }
finally:
  - { id: last, type: core/console.log, inputs: { message: "it is {{ run.status }}" } }
`;

let box: Sandbox;
const servers: Served[] = [];

beforeEach(async () => {
  box = createSandbox();
  await box.ak(["secrets", "set", "A"], { input: "a value" });
  mkdirSync(join(box.folder, "workflows"));
  const text = SLOW.replace("GO", JSON.stringify(join(box.folder, "go")));
  for (const file of ["slow.yaml", "workflows/slow.yaml"]) writeFileSync(join(box.folder, file), text);
});
afterEach(async () => {
  for (const { child, stop } of servers.splice(0)) {
    child.kill("SIGCONT");
    await stop("SIGKILL");
  }
  box.remove();
});

const listed = async (...args: string[]): Promise<Answer[]> =>
  JSON.parse((await box.ak(["runs", "list", "--json", ...args])).stdout);
const statusOf = async (id: string) => (await listed()).find(({ execution }) => execution === id)?.status;
const eventsOf = (text: string): Answer[] =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

/** Stops a process, but not while it has a database locked. */
async function halt(child: ChildProcess): Promise<void> {
  await expect
    .poll(() => {
      child.kill("SIGSTOP");
      const isFree = ["runs.db", "secrets/secrets.db", "secrets/access.db"].every(isUnlocked);
      if (!isFree) child.kill("SIGCONT");
      return isFree;
    })
    .toBe(true);
}

function isUnlocked(file: string): boolean {
  const path = join(box.folder, ".workflow", file);
  if (!existsSync(path)) return true;
  const database = new Database(path, { timeout: 0 });
  try {
    database.exec("BEGIN IMMEDIATE; ROLLBACK");
    return true;
  } catch {
    return false;
  } finally {
    database.close();
  }
}

/** A run to resume. */
async function running(): Promise<string> {
  let found: Answer[] = [];
  await expect
    .poll(async () => {
      found = await listed("--status", "running");
      if (found[0] === undefined) return "";
      return (await box.ak(["runs", "show", found[0].execution])).stdout;
    })
    .toContain("wait started");
  return found[0]?.execution;
}

it("a run in another terminal ends as cancelled by the user, with `finally`", async () => {
  const { ended } = box.start(["run", "slow.yaml", "--json"]);
  const id = await running();
  const cancelled = await box.ak(["runs", "cancel", id.slice(0, 8), "--json"]);
  expect(cancelled).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(cancelled.stdout)).toEqual({ execution: id, status: "running" });
  const { code, stdout } = await ended;
  expect(code).toBe(1);
  const events = eventsOf(stdout);
  expect(events.at(-1)).toMatchObject({
    event: "run.finished",
    status: "cancelled",
    cancelledBy: "user",
    tasks: { wait: { status: "cancelled" }, last: { status: "success" } },
  });
  expect(events).toContainEqual(expect.objectContaining({ task: "last", message: "it is cancelled" }));
  expect(await box.ak(["runs", "cancel", "last"])).toMatchObject({
    code: 1,
    stdout: "",
    stderr: `error: Run ${id} has ended\n`,
  });
});

it.each([
  [["ffffffff"], 3, "not found"],
  [["zz"], 3, "not found"],
  [["last"], 3, "not found"],
  [[], 2, "missing required argument"],
])("`runs cancel %j` exits with %i", async (args, code, message) => {
  const result = await box.ak(["runs", "cancel", ...args]);
  expect([result.code, result.stdout]).toEqual([code, ""]);
  expect(result.stderr).toContain(message);
});

it("a process that was stopped ends its run when it goes on; one that was killed leaves a run that can be resumed", async () => {
  const first = box.start(["run", "slow.yaml"]);
  const id = await running();
  await halt(first.child);
  expect(await box.ak(["runs", "cancel", id])).toMatchObject({ code: 0 });
  expect(await statusOf(id)).toBe("running");
  first.child.kill("SIGCONT");
  expect((await first.ended).code).toBe(1);
  expect(await statusOf(id)).toBe("cancelled");

  const second = box.start(["run", "slow.yaml"]);
  const other = await running();
  await halt(second.child);
  await box.ak(["runs", "cancel", other]);
  second.child.kill("SIGKILL");
  await second.ended;
  expect(await statusOf(other)).toBe("lost");
  const refused = await box.ak(["runs", "cancel", other]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/is lost: its process no longer runs.*\nhint: .*runs resume ID/);
  writeFileSync(join(box.folder, "go"), "");
  const resumed = await box.ak(["runs", "resume", other]);
  expect(resumed.code).toBe(0);
  expect(resumed.stdout).not.toContain("cancelled by");
});

describe("two servers over one folder", () => {
  let token: string;

  async function connect(): Promise<Served> {
    const server = await serve(box, ["--workflows", join(box.folder, "workflows")]);
    servers.push(server);
    return server;
  }

  async function ask({ address }: Served, method: string, path = "", body?: object) {
    const response = await fetch(`${address}/api/runs${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body && { "content-type": "application/json" }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    const answer: Answer = await response.json();
    return { status: response.status, ...answer };
  }

  const start = async (server: Served, workflow = "slow") => (await ask(server, "POST", "", { workflow })).execution;

  beforeEach(async () => {
    writeFileSync(join(box.folder, "autokestra.config.yaml"), "audit: on\nserver: { maxRuns: 1 }\n", { mode: 0o600 });
    token = (await box.ak(["tokens", "create", "ci", "--role", "admin"])).stdout.trim();
  });

  it("cancel each other's runs, also while their server is stopped, and so does the command; the log says who", async () => {
    const [one, two] = [await connect(), await connect()];
    const id = await start(one);
    expect(await running()).toBe(id);
    const [queued, stopped] = [await start(one), await start(one)];
    expect((await listed("--status", "queued")).map(({ execution }) => execution)).toEqual([queued, stopped]);
    expect(await box.ak(["runs", "cancel", queued])).toMatchObject({ code: 0, stdout: "" });
    expect(await ask(two, "POST", `/${id}/cancel`)).toMatchObject({ status: 202, execution: id });
    await expect.poll(async () => (await ask(one, "GET", `/${id}`)).cancelledBy).toBe("user");
    expect(await ask(two, "GET", `/${queued}`)).toMatchObject({ cancelledBy: "user" });
    // What waited behind it goes on.
    expect(await running()).toBe(stopped);
    const last = await start(one);
    await halt(one.child);
    for (const run of [stopped, last])
      expect(await ask(two, "POST", `/${run}/cancel`)).toMatchObject({ status: 202, execution: run });
    expect([await statusOf(stopped), await statusOf(last)]).toEqual(["running", "cancelled"]);
    one.child.kill("SIGCONT");
    await expect.poll(async () => await statusOf(stopped)).toBe("cancelled");
    expect(await ask(two, "POST", `/${stopped}/cancel`)).toMatchObject({ status: 409, code: "RUN_ENDED" });
    const { stdout } = await box.ak(["audit", "list", "--action", "run.cancel", "--json"]);
    const records: Answer[] = JSON.parse(stdout);
    expect(records.map(({ actor, outcome, execution }) => [actor.kind, outcome, execution])).toEqual([
      ["user", "intent", queued],
      ["user", "done", queued],
      ...[id, stopped, last].flatMap((run) => [
        ["token", "intent", run],
        ["token", "done", run],
      ]),
      ["token", "intent", stopped],
      ["token", "RUN_ENDED", stopped],
    ]);
  });

  it("have one group together: kill -9 frees it, a stopped server keeps it, a lost run waits for it when it is resumed", async () => {
    const grouped = (id: string, busy: string) =>
      SLOW.replace("GO", JSON.stringify(join(box.folder, "go")))
        .replace("id: slow", `id: ${id}`)
        .replace("tasks:", `concurrency: { group: g, busy: ${busy} }\ntasks:`);
    for (const [id, busy] of [
      ["queues", "queue"],
      ["cancels", "cancel"],
    ] as const)
      writeFileSync(join(box.folder, "workflows", `${id}.yaml`), grouped(id, busy));
    const [one, two] = [await connect(), await connect()];
    const first = await start(one, "queues");
    expect(await running()).toBe(first);
    const second = await start(two, "queues");
    expect((await ask(two, "GET", `/${second}`)).status).toBe("queued");
    await one.stop("SIGKILL");
    expect(await running()).toBe(second);
    expect(await statusOf(first)).toBe("lost");
    expect(await ask(two, "POST", `/${first}/resume`, {})).toMatchObject({ status: 202 });
    const three = await connect();
    await halt(two.child);
    const last = await start(three, "cancels");
    // The run that waited to go on does not, and the one of the stopped server is still there.
    expect((await listed("--status", "queued")).map(({ execution }) => execution)).toEqual([last]);
    expect([await statusOf(first), await statusOf(second)]).toEqual(["lost", "running"]);
    two.child.kill("SIGCONT");
    await expect.poll(async () => await statusOf(last)).toBe("running");
    expect((await listed()).find(({ execution }) => execution === second)).toMatchObject({
      status: "cancelled",
      cancelledBy: "superseded",
    });
    writeFileSync(join(box.folder, "go"), "");
    await expect.poll(async () => await statusOf(last)).toBe("success");
  });
});
