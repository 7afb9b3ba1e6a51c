import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineAction, definePlugin, type Plugin, TaskError, z } from "@autokestra/plugin-sdk";
import type { RunFinished } from "@autokestra/runs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../../sqlite/test/open-database.ts";
import { type Engine, loadWorkflow, openEngine, parseWorkflow } from "../src/index.ts";

const KEY = "0123456789abcdef".repeat(4);
const CANARY = "c4nary-0f-outputs";

let folder: string;
let engine: Engine;
/** What `test/work.do` has done, in its order. */
let done: string[];
/** Those of which the action fails. */
let broken: Set<string>;
/** The idempotency keys that it was given. */
let keys: string[];
/** The numbers of its attempts. */
let attempts: number[];
const told: string[] = [];

function worker(): Plugin {
  return definePlugin({
    name: "test/work",
    actions: {
      do: defineAction({
        input: z.object({ say: z.string(), see: z.unknown().optional() }),
        run({ say, see }, { mask, task, idempotencyKey }) {
          keys.push(idempotencyKey);
          attempts.push(task.attempt);
          done.push(see === undefined ? say : `${say} saw ${JSON.stringify(see)}`);
          if (broken.has(say)) throw new TaskError({ message: `${say} is broken`, retryable: say === "again" });
          if (say === "token") mask("t0ken-made-by-plugin");
          const made = say === "token" ? "t0ken-made-by-plugin" : `${say} made ${CANARY}`;
          return { made, items: ["x", "y", "z"], id: task.id };
        },
      }),
    },
  });
}

async function open(more: object = {}): Promise<Engine> {
  return await openEngine({
    storagePath: join(folder, "secrets"),
    runsPath: join(folder, "runs.db"),
    keyFolder: null,
    keepInEnvironment: true,
    env: { AUTOKESTRA_SECRET_KEY: KEY },
    create: true,
    plugins: [worker()],
    onNotice: (text) => told.push(text),
    ...more,
  });
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "autokestra-resume-"));
  done = [];
  broken = new Set();
  keys = [];
  attempts = [];
  told.length = 0;
  engine = await open();
  await engine.secrets.set({ name: "S", type: "apiKey", fields: { value: "first-value-of-s" } });
});
afterEach(async () => {
  await engine.close();
  rmSync(folder, { recursive: true, force: true });
});

function write(tasks: string, more = "", file = "flow.yaml"): string {
  const path = join(folder, file);
  writeFileSync(path, `apiVersion: v1\nid: flow\nsecrets: [S]\n${more}tasks:\n${tasks}`);
  return path;
}

const task = (id: string, more = "") => `  - { id: ${id}, type: test/work.do, inputs: { say: ${id} }${more} }\n`;

async function start(path: string, inputs: Record<string, string> = {}): Promise<RunFinished> {
  return await engine.run(await loadWorkflow(path), { inputs });
}

/** The run as its process leaves it that is killed: no end, and what had started has not ended. */
function lose(run: string, ...unfinished: string[]): void {
  const database = openDatabase(join(folder, "runs.db"));
  database.prepare("UPDATE run_records SET status = 'running', cancelled_by = NULL, pid = NULL WHERE id = ?").run(run);
  for (const name of unfinished) {
    database
      .prepare(
        "DELETE FROM run_events WHERE run_id = ? AND event ->> '$.event' = 'task.finished' AND event ->> '$.task' = ?",
      )
      .run(run, name);
    database.prepare("DELETE FROM kept WHERE run_id = ? AND task = ?").run(run, name);
  }
  database.close();
}

describe("a run that has not succeeded", () => {
  const chain = () =>
    write(
      task("a") +
        '  - { id: b, type: test/work.do, needs: [a], inputs: { say: b, see: "{{ tasks.a.output.made }} {{ secrets.S }}" } }\n' +
        task("c", ", needs: [b]"),
    );

  it("goes on under its id from the last finished task, with the outputs as they were", async () => {
    const path = chain();
    broken.add("b");
    const first = await start(path);
    expect(first.status).toBe("failed");
    broken.clear();
    done = [];
    const second = await engine.resume(first.execution);
    expect([second.execution, second.status]).toEqual([first.execution, "success"]);
    expect(done).toEqual([`b saw "a made ${CANARY} first-value-of-s"`, "c"]);
    expect(JSON.stringify(done)).not.toContain("***");
    expect(await engine.history.list()).toMatchObject([{ execution: first.execution, status: "success" }]);
    const events = await engine.history.events(first.execution);
    expect(events.map(({ event }) => event)).toContain("run.started");
    expect(events.at(-1)).toEqual(second);
    const states = await engine.history.ledger.tasks(first.execution);
    expect(states.map(({ task: id, state }) => [id, state])).toEqual([
      ["a", "success"],
      ["b", "success"],
      ["c", "success"],
    ]);
  });

  it("has its secrets resolved anew, and what it made secret before stays masked", async () => {
    const path = write(
      task("token") +
        '  - { id: b, type: test/work.do, needs: [token], inputs: { say: b, see: "{{ secrets.S }}" } }\n' +
        '  - { id: log, type: core/console.log, needs: [b], inputs: { message: "{{ tasks.token.output.made }}" } }\n',
    );
    await engine.close();
    const { corePlugins } = await import("../src/index.ts");
    engine = await open({ plugins: [...corePlugins, worker()] });
    broken.add("b");
    const { execution } = await start(path);
    await engine.secrets.set({ name: "S", type: "apiKey", fields: { value: "second-value-of-s" } });
    broken.clear();
    done = [];
    expect((await engine.resume(execution)).status).toBe("success");
    expect(done).toEqual(['b saw "second-value-of-s"']);
    const text = JSON.stringify(await engine.history.events(execution));
    expect(text).not.toContain("t0ken-made-by-plugin");
    expect(text).not.toContain("value-of-s");
  });

  it("keeps nothing readable, and nothing at all once it has succeeded", async () => {
    const path = chain();
    broken.add("b");
    const { execution } = await start(path, {});
    const kept = () => {
      const database = openDatabase(join(folder, "runs.db"));
      const values = database.prepare<[], Uint8Array>("SELECT value FROM kept").pluck().all();
      database.close();
      return values.map((value) => Buffer.from(value));
    };
    const raw = () =>
      Buffer.concat(
        readdirSync(folder)
          .filter((name) => name.startsWith("runs.db"))
          .map((name) => readFileSync(join(folder, name))),
      );
    const before = kept();
    expect(before.length).toBeGreaterThan(2);
    // The masked record has the output as it is shown; what is kept must not show it a second time.
    for (const value of before) expect(value.includes(CANARY)).toBe(false);
    expect(before.every((value) => raw().includes(value.subarray(0, 60)))).toBe(true);
    broken.clear();
    await engine.resume(execution);
    expect(kept()).toEqual([]);
    for (const value of before) expect(raw().includes(value.subarray(0, 60))).toBe(false);
    await expect(engine.resume(execution)).rejects.toMatchObject({ code: "RUN_NOT_RESUMABLE" });
  });

  it("says that its file has changed, and goes on with what it is now", async () => {
    const path = chain();
    broken.add("b");
    const { execution } = await start(path);
    broken.clear();
    writeFileSync(path, readFileSync(path, "utf8").replace("say: c", "say: d"));
    done = [];
    const changed: string[] = [];
    await engine.resume(execution, { onChanged: (message) => changed.push(message) });
    expect(done.at(-1)).toBe("d");
    expect(changed).toEqual([expect.stringContaining("flow.yaml has changed")]);
  });

  it("is taken over by one of two that go on with it", async () => {
    broken.add("b");
    const { execution } = await start(chain());
    broken.clear();
    done = [];
    const other = await open();
    const ends = await Promise.allSettled([engine.resume(execution), other.resume(execution)]);
    await other.close();
    expect(ends.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(ends.find(({ status }) => status === "rejected")).toMatchObject({ reason: { code: "RUN_ACTIVE" } });
    expect(done).toHaveLength(2);
  });

  it("runs `retry: never` no second time after it was lost, and nobody knows its outcome", async () => {
    const path = write(task("a", ", retry: never") + task("b", ", needs: [a]"));
    broken.add("b");
    const { execution } = await start(path);
    lose(execution, "a");
    done = [];
    for (let turn = 0; turn < 2; turn++) {
      const { status, tasks } = await engine.resume(execution);
      expect(status).toBe("failed");
      expect(tasks["a"]).toMatchObject({ status: "failed", error: { code: "OUTCOME_UNKNOWN" } });
    }
    expect(done).toEqual([]);
  });

  it("runs the items of a `forEach` again that had not succeeded", async () => {
    const items =
      '  - { id: each, type: test/work.do, needs: [a], forEach: "{{ tasks.a.output.items }}", inputs: { say: "{{ item }}" } }\n';
    const path = write(task("a") + items);
    broken.add("y");
    const { execution } = await start(path);
    expect(done).toEqual(["a", "x", "y"]);
    broken.clear();
    done = [];
    const { tasks, status } = await engine.resume(execution);
    expect([status, done]).toEqual(["success", ["y", "z"]]);
    expect(tasks["each"]?.output).toMatchObject([{ made: `x made ${CANARY}` }, {}, {}]);
  });

  it("tells how the items have ended of a list that does not run again", async () => {
    const path = write(
      '  - { id: each, type: test/work.do, forEach: [x, y, z], if: item != "x", continueOnError: true, inputs: { say: "{{ item }}" } }\n' +
        task("last", ", needs: [each]"),
    );
    broken.add("y").add("last");
    const first = await start(path);
    broken.clear();
    done = [];
    const { tasks, status } = await engine.resume(first.execution);
    expect([status, done]).toEqual(["success", ["last"]]);
    const itemsOf = (all: RunFinished["tasks"]) => Object.entries(all).filter(([id]) => id.startsWith("each"));
    expect(itemsOf(tasks).map(([id, result]) => [id, result.status, result.error?.code])).toEqual(
      itemsOf(first.tasks).map(([id, result]) => [id, result.status, result.error?.code]),
    );
    expect(itemsOf(tasks).map(([, result]) => result.status)).toEqual(["failed", "skipped", "failed", "success"]);
  });

  it("gives a task the same idempotency key in each attempt, and another one to every other task, item and run", async () => {
    write(task("again", ", retry: { max: 1, backoffSeconds: 0 }"), "", "child.yaml");
    const path = write(
      '  - { id: each, type: test/work.do, forEach: [x, y], inputs: { say: "{{ item }}" } }\n' +
        "  - { id: call, needs: [each], type: core/workflow.call, inputs: { file: ./child.yaml } }\n",
    );
    broken.add("again").add("y");
    const { execution } = await start(path);
    expect(keys).toEqual(["each[0]", "each[1]"].map((name) => `${execution}:${name}`));
    keys = [];
    broken.delete("y");
    await engine.resume(execution);
    expect(keys).toEqual(["each[1]", "call/again", "call/again"].map((name) => `${execution}:${name}`));
    keys = [];
    const again = await engine.rerun(execution, { from: "call" });
    expect(again.execution).not.toBe(execution);
    expect(new Set(keys)).toEqual(new Set([`${again.execution}:call/again`]));
  });

  it("counts the attempts of a task on when it is resumed, also when what calls it is tried again, and anew in another run", async () => {
    write(task("again", ", retry: { max: 1, backoffSeconds: 0 }"), "", "child.yaml");
    const retried = "retry: { max: 1, backoffSeconds: 0, on: [error] }";
    const path = write(`  - { id: call, type: core/workflow.call, ${retried}, inputs: { file: ./child.yaml } }\n`);
    broken.add("again");
    const { execution } = await start(path);
    expect(attempts).toEqual([1, 2, 3, 4]);
    lose(execution, "call", "call/again");
    await engine.resume(execution);
    expect(attempts).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    attempts = [];
    await engine.rerun(execution, { from: "call" });
    expect(attempts).toEqual([1, 2, 3, 4]);
  });

  it("runs the tasks of a called workflow again that had not succeeded", async () => {
    write(task("inner") + task("other", ", needs: [inner]"), "", "child.yaml");
    const path = write("  - { id: call, type: core/workflow.call, inputs: { file: ./child.yaml } }\n");
    broken.add("other");
    const { execution } = await start(path);
    broken.clear();
    done = [];
    expect((await engine.resume(execution)).status).toBe("success");
    expect(done).toEqual(["other"]);
  });

  it("runs `onFailure` and `finally` after what has run again, and not a second time after nothing has", async () => {
    const more = `onFailure:\n${task("alarm")}finally:\n${task("first")}${task("second")}`;
    const path = write(task("a") + task("b"), more);
    broken.add("b");
    const { execution } = await start(path);
    expect(done.sort()).toEqual(["a", "alarm", "b", "first", "second"]);
    broken.clear();
    broken.add("second");
    done = [];
    expect((await engine.resume(execution)).status).toBe("failed");
    expect(done).toEqual(["b", "first", "second"]);
    broken.clear();
    done = [];
    expect((await engine.resume(execution)).status).toBe("success");
    expect(done).toEqual(["second"]);
  });

  it("goes on after a failure that it has survived, which other tasks have seen", async () => {
    const path = write(task("a", ", continueOnError: true") + task("b", ", needs: [a]"));
    broken.add("a").add("b");
    const { execution } = await start(path);
    broken.clear();
    done = [];
    expect((await engine.resume(execution)).tasks).toMatchObject({ a: { status: "failed" }, b: { status: "success" } });
    expect(done).toEqual(["b"]);
  });

  it("that was read from a text goes on with that text", async () => {
    const text = `apiVersion: v1\nid: text\ninputs: { name: { type: string } }\ntasks:\n${task("a")}${task("b", ", needs: [a]")}`;
    broken.add("b");
    const { execution } = await engine.run(parseWorkflow(text, "given.yaml"), { inputs: { name: "n" } });
    broken.clear();
    expect((await engine.resume(execution)).status).toBe("success");
  });

  it("cannot go on after its outputs have been kept long enough", async () => {
    broken.add("b");
    const { execution } = await start(chain());
    const database = openDatabase(join(folder, "runs.db"));
    database.exec("UPDATE run_records SET kept_until = 1");
    database.close();
    const reason = { code: "RUN_NOT_RESUMABLE", message: expect.stringContaining("no longer") };
    await expect(engine.resume(execution)).rejects.toMatchObject(reason);
    // The next run wipes it.
    broken.clear();
    await start(chain());
    const after = openDatabase(join(folder, "runs.db"));
    expect(after.prepare("SELECT count(*) FROM kept").pluck().get()).toBe(0);
    after.close();
  });

  it("cannot go on without a store, which is said once", async () => {
    await engine.close();
    engine = await open({ storagePath: join(folder, "elsewhere"), create: false });
    broken.add("a");
    const workflow = parseWorkflow(`apiVersion: v1\nid: text\ntasks:\n${task("a")}`, "given.yaml");
    const { execution } = await engine.run(workflow);
    expect(told.filter((text) => text.includes("cannot be resumed"))).toHaveLength(1);
    await expect(engine.resume(execution)).rejects.toMatchObject({ code: "RUN_NOT_RESUMABLE" });
  });

  it("is cut off when another process has taken it over", async () => {
    const path = write(task("a") + task("b", ", needs: [a]"));
    const workflow = await loadWorkflow(path);
    const unrecorded: string[] = [];
    const taken = await engine.run(workflow, {
      onUnrecorded: ({ message }) => unrecorded.push(message),
      sink(event) {
        if (event.event !== "task.finished" || event.task !== "a") return;
        const database = openDatabase(join(folder, "runs.db"));
        database.exec("UPDATE run_records SET token = 'another'; UPDATE task_runs SET lease_token = 'another'");
        database.exec("UPDATE task_runs SET state = 'running' WHERE task = 'b'");
        database.close();
      },
    });
    expect(taken).toMatchObject({ status: "cancelled", cancelledBy: "superseded" });
    expect(done).toEqual(["a"]);
    expect(unrecorded).toEqual([expect.stringContaining("another process goes on with the run")]);
  });
});

describe("a run that is run again", () => {
  it.each<[string | undefined, string[]]>([
    [undefined, ["a", "b", "c", "other"]],
    ["b", ["b", "c"]],
    ["c", ["c"]],
  ])("from %s", async (from, expected) => {
    const path = write(task("a") + task("b", ", needs: [a]") + task("c", ", needs: [b]") + task("other"));
    broken.add("c");
    const { execution } = await start(path);
    broken.clear();
    done = [];
    const again = await engine.rerun(execution, { from });
    expect([again.status, done.toSorted()]).toEqual(["success", expected]);
    expect(again.execution).not.toBe(execution);
    // The earlier one can still go on.
    done = [];
    expect((await engine.resume(execution)).status).toBe("success");
    expect(done).toEqual(["c"]);
  });

  it("after it has succeeded: from its file, with inputs as they are given", async () => {
    const path = write(task("a"), "inputs: { name: { type: string } }\n");
    const { execution } = await start(path, { name: "n" });
    await expect(engine.rerun(execution)).rejects.toMatchObject({ code: "INPUT_INVALID" });
    expect((await engine.rerun(execution, { inputs: { name: "m" } })).status).toBe("success");
    await expect(engine.rerun(execution, { from: "a" })).rejects.toMatchObject({ code: "RUN_NOT_RESUMABLE" });
  });

  it("from a task that there is not: refused", async () => {
    broken.add("a");
    const { execution } = await start(write(task("a")));
    await expect(engine.rerun(execution, { from: "z" })).rejects.toMatchObject({ code: "TASK_NOT_FOUND" });
  });
});
