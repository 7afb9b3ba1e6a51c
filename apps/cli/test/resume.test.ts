import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSandbox, type Sandbox } from "./run-cli.ts";

let box: Sandbox;
let canary: string;

beforeEach(async () => {
  box = createSandbox();
  canary = randomBytes(18).toString("base64url");
  await box.ak(["secrets", "set", "CANARY"], { input: canary });
});
afterEach(() => box.remove());

/** Each task adds its name to the file `ran`, and returns what the one before has returned with its own name. */
const say = (id: string, before: string | null, more = "") => {
  const needs = before === null ? "" : `, needs: [${before}]`;
  const got = before === null ? "{{ secrets.CANARY }}" : `{{ tasks.${before}.output.stdout }}`;
  const script = `echo ${id} >> ran; ${more} printf '%s.${id}' "$GOT"`;
  return `  - { id: ${id}${needs}, type: core/shell.run, inputs: { command: sh, args: [-c, ${JSON.stringify(script)}], env: { GOT: "${got}" } } }\n`;
};

/** A chain of three: `b` waits for the file `go`, and fails if there is a file `broken`. */
function writeChain(): void {
  const wait = "while ! test -e go; do sleep 0.05; done; test ! -e broken || exit 9;";
  write("w.yaml", `${say("a", null)}${say("b", "a", wait)}${say("c", "b")}`);
}

function write(file: string, tasks: string): void {
  writeFileSync(join(box.folder, file), `apiVersion: v1\nid: chain\nsecrets: [CANARY]\ntasks:\n${tasks}`);
}

function touch(file: string): void {
  writeFileSync(join(box.folder, file), "");
}

const ran = () => readFileSync(join(box.folder, "ran"), { encoding: "utf8", flag: "a+" }).trim().split("\n");
const listed = async (...args: string[]) => JSON.parse((await box.ak(["runs", "list", "--json", ...args])).stdout);

/** The last event of a run that was printed as JSON. */
const endOf = (stdout: string) => JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");

/** Starts the chain, and kills it while `b` waits. */
async function loseChain(): Promise<void> {
  writeChain();
  const { child, ended } = box.start(["run", "w.yaml", "--json"]);
  await expect.poll(ran).toEqual(["a", "b"]);
  child.kill("SIGKILL");
  await ended;
}

/** A run whose `b` has failed. Returns its id. */
async function failChain(): Promise<string> {
  writeChain();
  touch("go");
  touch("broken");
  expect(await box.ak(["run", "w.yaml"])).toMatchObject({ code: 1 });
  const [{ execution }] = await listed();
  return execution;
}

function openHistory(): Database.Database {
  return new Database(join(box.folder, ".workflow", "runs.db"));
}

/** The encrypted values that are kept, by the name of their task; that of the start has none. */
function keptValues(): Record<string, Buffer> {
  const database = openHistory();
  const rows = database.prepare<[], { task: string; value: Buffer }>("SELECT task, value FROM kept").all();
  database.close();
  return Object.fromEntries(rows.map(({ task, value }) => [task, value]));
}

/** How many of these are in any file of the history. */
function countInFiles(texts: readonly (string | Buffer)[]): number {
  const folder = join(box.folder, ".workflow");
  const files = readdirSync(folder).filter((name) => name.startsWith("runs.db"));
  const bytes = files.map((name) => readFileSync(join(folder, name)));
  // Long values continue on other pages.
  return texts.filter((text) => bytes.some((file) => file.includes(text.slice(0, 64)))).length;
}

describe("runs resume", () => {
  it("K12: goes on after kill -9 from the last finished task, and leaves nothing of what was kept", {
    tags: ["faults"],
  }, async () => {
    await loseChain();
    expect(await listed("--status", "lost")).toHaveLength(1);
    const kept = keptValues();
    expect(Object.keys(kept).toSorted()).toEqual(["", "a"]);
    expect([countInFiles([canary]), countInFiles(Object.values(kept))]).toEqual([0, 2]);

    touch("go");
    const { code, stdout } = await box.ak(["runs", "resume", "last", "--json"]);
    expect(code).toBe(0);
    expect(stdout).not.toContain(canary);
    expect(endOf(stdout)).toMatchObject({
      status: "success",
      tasks: { a: { status: "success" }, c: { output: { stdout: "***SECRET***.a.b.c" } } },
    });
    expect(ran()).toEqual(["a", "b", "b", "c"]);
    expect(await listed()).toMatchObject([{ status: "success" }]);
    expect([keptValues(), countInFiles([canary, ...Object.values(kept)])]).toEqual([{}, 0]);

    const again = await box.ak(["runs", "resume", "last"]);
    expect([again.code, again.stderr]).toEqual([1, expect.stringMatching(/has succeeded.*\n.*runs rerun/)]);
  });

  it("runs nothing beside what the lost process had started: that ends with it", { tags: ["faults"] }, async () => {
    const script = JSON.stringify("while :; do echo >> beats; sleep 0.05; done");
    write("w.yaml", `  - { id: a, type: core/shell.run, inputs: { command: sh, args: [-c, ${script}] } }\n`);
    const { child, ended } = box.start(["run", "w.yaml"]);
    const beats = () => readFileSync(join(box.folder, "beats"), { flag: "a+" }).length;
    const isBeating = async () => {
      const before = beats();
      await setTimeout(1000);
      return beats() > before;
    };
    await expect.poll(isBeating).toBe(true);
    child.kill("SIGKILL");
    await ended;
    await expect.poll(isBeating).toBe(false);
  });

  it("refuses a run that is running, and one that was never kept", async () => {
    writeChain();
    const { child, ended } = box.start(["run", "w.yaml"]);
    await expect.poll(ran).toEqual(["a", "b"]);
    for (const command of [
      ["runs", "resume", "last"],
      ["runs", "delete", "last", "--force"],
    ]) {
      expect(await box.ak(command)).toMatchObject({ code: 1, stderr: expect.stringContaining("running") });
    }
    child.kill("SIGKILL");
    await ended;
    writeFileSync(join(box.folder, "autokestra.config.yaml"), "runs: { keepOutputs: 0 }\n");
    touch("go");
    touch("broken");
    await box.ak(["run", "w.yaml"]);
    const { code, stderr } = await box.ak(["runs", "resume", "last"]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("kept nothing")]);
  });

  it("new: K33: refuses a start that was changed, and runs again what was changed or swapped", async () => {
    const execution = await failChain();
    const { a } = keptValues();
    const database = openHistory();
    writeFileSync(join(box.folder, "ran"), "");
    database.exec("UPDATE kept SET attempt = 2 WHERE kind = 'start'");
    const { code, stderr } = await box.ak(["runs", "resume", execution]);
    expect([code, stderr, ran()]).toEqual([1, expect.stringContaining("does not open"), [""]]);

    database.exec("UPDATE kept SET attempt = 1 WHERE kind = 'start'");
    const columns = "run_id, kind, attempt, key_id";
    database
      .prepare(`INSERT INTO kept (task, value, ${columns}) SELECT 'c', ?, ${columns} FROM kept WHERE task = 'a'`)
      .run(a);
    database.exec(
      "UPDATE kept SET value = CAST(substr(value, 1, 30) || zeroblob(length(value) - 30) AS BLOB) WHERE task = 'a'",
    );
    database.close();
    rmSync(join(box.folder, "broken"));
    const { stdout } = await box.ak(["runs", "resume", execution, "--json"]);
    expect(ran()).toEqual(["a", "b", "c"]);
    expect(endOf(stdout)).toMatchObject({ tasks: { c: { output: { stdout: "***SECRET***.a.b.c" } } } });
  });

  it("new: K33: has nothing to go on with after the time that outputs are kept, and nothing of it is in the files", async () => {
    const execution = await failChain();
    const kept = Object.values(keptValues());
    expect([kept.length, countInFiles(kept)]).toEqual([3, 3]);
    const database = openHistory();
    database.exec("UPDATE run_records SET kept_until = 1");
    database.close();
    const { code, stderr } = await box.ak(["runs", "resume", execution]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("kept nothing, or no longer does")]);
    write("other.yaml", say("d", null));
    await box.ak(["run", "other.yaml"]);
    expect(countInFiles([canary, ...kept])).toBe(0);
    expect(await listed()).toHaveLength(2);
  });

  it.each([["runs list"], ["runs show last"], ["run w.yaml"]])(
    "%s overwrites what was kept for too long",
    async (line) => {
      await failChain();
      const kept = Object.values(keptValues());
      expect([kept.length, countInFiles(kept)]).toEqual([3, 3]);
      const database = openHistory();
      database.exec("UPDATE run_records SET kept_until = 1");
      database.close();
      await box.ak(line.split(" "));
      expect(countInFiles(kept)).toBe(0);
    },
  );
});

describe("runs rerun", () => {
  it("runs again from a task on, as a new run", async () => {
    await failChain();
    writeFileSync(join(box.folder, "ran"), "");
    await box.ak(["runs", "rerun", "last", "--from", "b"]);
    expect(ran()).toEqual(["b"]);
    expect(await box.ak(["runs", "rerun", "last", "--from", "nope"])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/no task 'nope'.*\nhint: Known here: a, b, c\./),
    });
    await box.ak(["runs", "rerun", "last"]);
    expect(ran()).toEqual(["b", "a", "b"]);
    expect(await listed("--status", "failed")).toHaveLength(3);
  });
});

describe("runs logs", () => {
  it("follows a run of another process to its end, and prints what it printed", async () => {
    writeChain();
    const run = box.start(["run", "w.yaml", "--json"]);
    await expect.poll(ran).toEqual(["a", "b"]);
    const follow = box.start(["runs", "logs", "last", "--follow", "--json"]);
    let seen = "";
    follow.child.stdout?.on("data", (chunk) => (seen += String(chunk)));
    await expect.poll(() => seen).toContain('"task":"b"');
    touch("go");
    const [printed, followed] = await Promise.all([run.ended, follow.ended]);
    expect(followed).toMatchObject({ code: 0, stdout: printed.stdout });
    expect((await box.ak(["runs", "logs", "last", "--json"])).stdout).toBe(printed.stdout);
  });

  it("ends when the process of the run is lost, and says so; Ctrl-C ends it before", { tags: ["faults"] }, async () => {
    writeChain();
    const { child } = box.start(["run", "w.yaml"]);
    await expect.poll(ran).toEqual(["a", "b"]);
    const [one, two] = [0, 1].map(() => box.start(["runs", "logs", "last", "--follow"]));
    await Promise.all([one, two].map(async (each) => await once(each?.child.stdout ?? child, "data")));
    one?.child.kill("SIGINT");
    expect(await one?.ended).toMatchObject({ code: 130 });
    child.kill("SIGKILL");
    expect(await two?.ended).toMatchObject({ code: 0, stderr: expect.stringContaining("the run is lost") });
    touch("go");
  });
});

describe("runs delete", () => {
  beforeEach(() => write("w.yaml", say("a", null)));

  it("removes runs by id, beginning of an id and `last`: all or none", async () => {
    for (let count = 0; count < 3; count++) await box.ak(["run", "w.yaml"]);
    const [last, second, first] = (await listed()).map(({ execution }: { execution: string }) => execution);
    const missing = await box.ak(["runs", "delete", "last", "00000000", "--force"]);
    expect([missing.code, await listed()]).toEqual([3, expect.objectContaining({ length: 3 })]);
    expect(await box.ak(["runs", "delete", "last"])).toMatchObject({ code: 2 });
    await box.ak(["runs", "delete", "last", second.slice(0, 13), "--force"]);
    expect(await listed()).toMatchObject([{ execution: first }]);
    expect((await box.ak(["runs", "show", last])).code).toBe(3);
    const database = openHistory();
    const columns = "workflow, status, started_at, masked";
    const copy = database.prepare(
      `INSERT INTO run_records (id, ${columns}) SELECT ?, ${columns} FROM run_records LIMIT 1`,
    );
    for (const end of ["1", "2"]) copy.run(`abcd0000-0000-4000-8000-00000000000${end}`);
    database.close();
    const ambiguous = await box.ak(["runs", "delete", "abcd", "--force"]);
    expect([ambiguous.code, ambiguous.stderr]).toEqual([2, expect.stringContaining("Several runs begin with 'abcd'")]);
    expect((await box.ak(["runs", "delete", "abc", "--force"])).code).toBe(3);
  });

  it("removes those that began long ago", async () => {
    await box.ak(["run", "w.yaml"]);
    const database = openHistory();
    database.exec("UPDATE run_records SET started_at = '2020-01-01T00:00:00.000Z'");
    database.close();
    await box.ak(["run", "w.yaml"]);
    const { stdout, code } = await box.ak(["runs", "delete", "--older-than", "30d", "--force", "--json"]);
    expect({ stdout, code }).toEqual({ stdout: '{"deleted":1}\n', code: 0 });
    expect(await listed()).toHaveLength(1);
    expect((await box.ak(["runs", "delete", "last", "--older-than", "30d", "--force"])).code).toBe(2);
  });

  it("is done by runs themselves, with --keep-runs, --keep-days and the configuration", async () => {
    for (let count = 0; count < 4; count++) await box.ak(["run", "w.yaml", "--keep-runs", "2"]);
    expect(await listed()).toHaveLength(2);
    const database = openHistory();
    database.exec("UPDATE run_records SET started_at = '2020-01-01T00:00:00.000Z'");
    database.close();
    await box.ak(["run", "w.yaml"]);
    expect(await listed()).toHaveLength(3);
    await box.ak(["run", "w.yaml", "--keep-days", "30"]);
    expect(await listed()).toHaveLength(2);
    writeFileSync(join(box.folder, "autokestra.config.yaml"), "runs: { keepRuns: 1 }\n");
    await box.ak(["run", "w.yaml"]);
    expect(await listed()).toHaveLength(1);
    expect((await box.ak(["run", "w.yaml", "--keep-runs", "0"])).code).toBe(2);
  });
});
