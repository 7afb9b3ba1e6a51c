import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { listen } from "@autokestra/test-kit";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { inTerminal } from "./in-terminal.ts";
import { CLI, createSandbox, type Sandbox } from "./run-cli.ts";

const WORKFLOW = `apiVersion: v1
id: greet
secrets: [TOKEN]
tasks:
  - { id: say, type: core/console.log, inputs: { message: "hello {{ secrets.TOKEN }}" } }
`;

let box: Sandbox;
let server: Server | undefined;

beforeEach(async () => {
  box = createSandbox();
  writeFileSync(join(box.folder, "w.yaml"), WORKFLOW);
  await box.ak(["secrets", "set", "TOKEN"], { input: "a-secret-token" });
});

afterEach(() => {
  server?.close();
  server?.closeAllConnections();
  box.remove();
});

/** Starts a run whose only task goes on until the run is ended. */
async function startWaitingRun(): Promise<ChildProcess> {
  server = createServer();
  const task = `{ id: a, type: core/http.get, inputs: { url: "${await listen(server)}" } }`;
  writeFileSync(join(box.folder, "wait.yaml"), `{ apiVersion: v1, id: wait, tasks: [${task}] }`);
  const env = { PATH: process.env["PATH"], HOME: join(box.folder, "home") };
  const asked = once(server, "request");
  const child = spawn(process.execPath, [CLI, "run", "wait.yaml"], {
    cwd: box.folder,
    env,
    stdio: ["ignore", "ignore", "pipe"],
  });
  await asked;
  return child;
}

const listed = async (...args: string[]) => JSON.parse((await box.ak(["runs", "list", "--json", ...args])).stdout);

describe("runs", () => {
  it("list and show what was run, as it was printed", async () => {
    const printed = await box.ak(["run", "w.yaml", "--json"]);
    const [run, ...others] = await listed();
    expect(others).toEqual([]);
    expect(run).toMatchObject({
      workflow: "greet",
      status: "success",
      masked: { TOKEN: { count: 1, variants: ["value"] } },
    });
    expect((await box.ak(["runs", "show", run.execution, "--json"])).stdout).toBe(printed.stdout);
    const shown = await box.ak(["runs", "show", run.execution]);
    expect(shown.stdout).toContain("INFO  say hello ***SECRET***\n");
    const { stdout } = await box.ak(["runs", "list"]);
    expect(stdout).toBe(`${run.execution}\tgreet\tsuccess\t${run.startedAt}\t${run.durationMs}\tTOKEN\n`);
  });

  it("take filters", async () => {
    await box.ak(["run", "w.yaml"]);
    await box.ak(["run", "w.yaml"]);
    const counts = await Promise.all([
      listed("--limit", "1"),
      listed("--workflow", "greet"),
      listed("--workflow", "other"),
      listed("--status", "success"),
      listed("--status", "failed"),
      listed("--status", "unfinished"),
    ]);
    expect(counts.map(({ length }) => length)).toEqual([1, 2, 0, 2, 0, 0]);
    const { code, stderr } = await box.ak(["runs", "list", "--status", "gone"]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("success, failed, cancelled, running, lost, unknown")]);
  });

  it.each<[NodeJS.Signals, string, object]>([
    ["SIGKILL", "lost", { cancelledBy: null, finishedAt: null, durationMs: null }],
    ["SIGINT", "cancelled", { cancelledBy: "user", finishedAt: expect.any(String), durationMs: expect.any(Number) }],
  ])("K12: that go on are running; after %s they are %s", { tags: ["faults"] }, async (signal, status, more) => {
    const child = await startWaitingRun();
    expect(await listed("--status", "running")).toMatchObject([
      { workflow: "wait", status: "running", finishedAt: null },
    ]);
    expect(await listed("--status", "unfinished")).toHaveLength(1);
    expect(await listed("--status", "lost")).toEqual([]);
    child.kill(signal);
    await once(child, "close");
    expect(await listed("--status", status)).toMatchObject([{ workflow: "wait", status, ...more }]);
    expect(await listed("--status", "running")).toEqual([]);
    expect(await listed("--status", "unfinished")).toHaveLength(status === "lost" ? 1 : 0);
    const { stdout } = await box.ak(["runs", "list", "--status", status]);
    expect(stdout.split("\t").slice(1, 3)).toEqual(["wait", status]);
  });

  it("new: S6: open no debugger at SIGUSR1, and go on", { tags: ["faults"] }, async () => {
    const child = await startWaitingRun();
    let errors = "";
    child.stderr?.on("data", (chunk) => (errors += String(chunk)));
    child.kill("SIGUSR1");
    expect(await listed("--status", "running")).toHaveLength(1);
    child.kill("SIGTERM");
    expect(await once(child, "close")).toEqual([143, null]);
    expect(errors).not.toMatch(/debugger/i);
  });

  it.each<[readonly NodeJS.Signals[], number]>([
    [["SIGHUP"], 129],
    [["SIGINT"], 130],
    [["SIGTERM"], 143],
    [["SIGINT", "SIGINT"], 130],
    [["SIGTERM", "SIGTERM"], 143],
  ])("K12: are cancelled and recorded by %s, with exit code %i", { tags: ["faults"] }, async (signals, exitCode) => {
    const child = await startWaitingRun();
    for (const signal of signals) child.kill(signal);
    const [code] = await once(child, "close");
    expect(code).toBe(exitCode);
    const [run] = await listed();
    expect(run).toMatchObject({ status: "cancelled", cancelledBy: "user", finishedAt: expect.any(String) });
    const { stdout } = await box.ak(["runs", "show", run.execution, "--json"]);
    expect(JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "")).toMatchObject({
      event: "run.finished",
      tasks: { a: { status: "cancelled" } },
    });
  });

  it("K32: are recorded to their end, though another program has locked their file meanwhile", {
    tags: ["faults"],
  }, async () => {
    await box.ak(["run", "w.yaml"]);
    const database = new Database(join(box.folder, ".workflow", "runs.db"));
    database.exec("BEGIN IMMEDIATE");
    setTimeout(() => database.close(), 2000);
    const printed = await box.ak(["run", "w.yaml", "--json"]);
    expect(printed).toMatchObject({ code: 0, stderr: "" });
    const [run, ...others] = await listed("--status", "success");
    expect(others).toHaveLength(1);
    expect((await box.ak(["runs", "show", run.execution, "--json"])).stdout).toBe(printed.stdout);
  });

  it("say so when there are none, and make nothing", async () => {
    const { stdout, stderr, code } = await box.ak(["runs", "list"]);
    expect({ stdout, stderr, code }).toEqual({ stdout: "", stderr: "No runs found\n", code: 0 });
    const missing = await box.ak(["runs", "show", "nope"]);
    expect(missing).toMatchObject({ code: 3, stderr: expect.stringContaining("error: Run 'nope' not found\n") });
    expect(existsSync(join(box.folder, ".workflow", "runs.db"))).toBe(false);
  });

  it("are recorded where --runs-path says", async () => {
    await box.ak(["run", "w.yaml", "--runs-path", "elsewhere.db"]);
    expect(await listed()).toEqual([]);
    expect(await listed("--runs-path", "elsewhere.db")).toHaveLength(1);
  });

  it("forge no line, whatever was written into their file", async () => {
    await box.ak(["run", "w.yaml"]);
    const [run] = await listed();
    const database = new Database(join(box.folder, ".workflow", "runs.db"));
    database.exec(`
      UPDATE run_records SET workflow = 'w' || char(10, 27) || '[2J', masked = '{"A\\tB":{"count":1,"variants":[]}}';
      UPDATE run_events SET event = json_set(event, '$.task', 'a' || char(10, 27) || '[2J') WHERE position = 2;
    `);
    database.close();
    const texts = [await box.ak(["runs", "list"]), await box.ak(["runs", "show", run.execution])];
    expect(texts.map(({ stdout }) => stdout.split("\n").length)).toEqual([2, 6]);
    for (const { stdout } of texts) expect(stdout).toMatch(/\\u\{a\}\\u\{1b\}\[2J/);
    expect(texts[0]?.stdout).toContain("A\\u{9}B");
  });

  it("show where the secrets of a run came from, and where they were used", async () => {
    await box.ak(["run", "w.yaml"]);
    const [{ execution }] = await listed();
    const { stdout, code } = await box.ak(["runs", "show", execution, "--secrets"]);
    const row = ["TOKEN", "store", "1", "say: message", "1x (value), say 1x", ""].join("\t");
    expect({ stdout, code }).toEqual({ stdout: `${row}\n`, code: 0 });
    const [secret] = JSON.parse((await box.ak(["runs", "show", execution, "--secrets", "--json"])).stdout);
    expect(secret).toMatchObject({
      name: "TOKEN",
      source: "store",
      version: "1",
      uses: [{ task: "say", path: "message" }],
      maskedIn: { say: { count: 1, variants: ["value"] } },
    });
    const table = await inTerminal(box, ["runs", "show", execution, "--secrets"], []);
    expect(table.output).toMatch(
      /^NAME +SOURCE +VERSION +USED IN +MASKED +LEASES\r\nTOKEN +store +1 +say: message +1x/,
    );
  });

  it("that cannot be recorded run all the same, and say so once", async () => {
    const { stdout, stderr, code } = await box.ak(["run", "w.yaml", "--runs-path", "w.yaml/runs.db"]);
    expect(stdout).toContain("hello ***SECRET***");
    expect(stderr.match(/warning: from here on this run is not recorded: .*not a directory \(ENOTDIR\)/g)).toHaveLength(
      1,
    );
    expect(code).toBe(0);
  });

  it("go on where nobody reads what they are warned of", async () => {
    const env = { PATH: process.env["PATH"], HOME: join(box.folder, "home") };
    const script = `node "${CLI}" run w.yaml --runs-path w.yaml/runs.db 2>/dev/full`;
    const { stdout, status } = spawnSync("sh", ["-c", script], { cwd: box.folder, env, encoding: "utf8" });
    expect(stdout).toContain("hello ***SECRET***");
    expect(status).toBe(0);
  });
});
