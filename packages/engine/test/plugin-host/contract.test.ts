import { cpSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { corePlugins } from "@autokestra/plugins-core";
import { installPluginSdk } from "@autokestra/test-kit";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { PluginHost } from "../../src/plugin-host/plugin-host.ts";
import { PluginProcess } from "../../src/plugin-host/plugin-process.ts";
import { logged, type Outcome, type TryOptions, tryRun, warned } from "../run/try-run.ts";
import { plugin as contractPlugin } from "./contract-plugin.js";
import { openHost } from "./open-host.ts";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "autokestra-plugins-")));
const secrets = { S: { type: "apiKey", fields: { value: "printed-secret-4711" } } } as const;

beforeAll(async () => {
  await installPluginSdk(folder);
  cpSync(fileURLToPath(new URL("contract-plugin.js", import.meta.url)), join(folder, "contract.mjs"));
});
afterAll(() => rmSync(folder, { recursive: true }));

type Run = (action: string, more?: { inputs?: string; keys?: string; options?: TryOptions }) => Promise<Outcome>;

async function inChild(tasks: string, options: TryOptions = {}): Promise<Outcome> {
  const host: PluginHost = openHost(folder, "[./contract.mjs]");
  try {
    return await tryRun(tasks, { secrets, ...options, plugins: corePlugins, loadPlugins: host.load });
  } finally {
    await host.close();
  }
}

async function inProcess(tasks: string, options: TryOptions = {}): Promise<Outcome> {
  return await tryRun(tasks, { secrets, ...options, plugins: [...corePlugins, contractPlugin] });
}

const task = (action: string, inputs = "{}", keys = "") =>
  `  - { id: t, type: test/contract.${action}, inputs: ${inputs}${keys} }`;
const error = ({ finished }: Outcome) => finished.tasks["t"]?.error;
const output = ({ finished }: Outcome) => finished.tasks["t"]?.output;

const FAILURES = [
  ["typed", "{ name: 7 }", { code: "INPUT_INVALID", message: "Invalid input: name: expected string" }],
  ["typed", "{ name: a, even: 3 }", { code: "INPUT_INVALID", message: "Invalid input: even: expected an even number" }],
  ["wrong-output", "{}", { code: "TASK_FAILED", message: "Invalid output: expected string" }],
  [
    "circle",
    "{}",
    { code: "OUTPUT_UNREADABLE", message: "the output of the action cannot be read: it contains itself" },
  ],
  [
    "getter",
    "{}",
    {
      code: "OUTPUT_UNREADABLE",
      message: "the output of the action cannot be read: a part of it throws when it is read",
    },
  ],
  [
    "mask-nothing",
    "{}",
    { name: "TypeError", message: "A value to mask must be a text, a number, or an object or list of these" },
  ],
  ["mask-name", "{}", { name: "TypeError", message: expect.stringContaining("The name of a value to mask") }],
  ["throw", "{}", { name: "TypeError", code: "TASK_FAILED", message: "plain failure" }],
  ["throw-secret", '{ a: "{{ secrets.S }}" }', { message: 'refused {"a":"***SECRET***"}' }],
  ["throw-text", "{}", { name: "Error", message: "a text" }],
  ["throw-nothing", "{}", { name: "Error", message: "the action threw undefined" }],
  ["throw-function", "{}", { message: "the action threw a function" }],
  ["throw-hostile", "{}", { message: "the action threw something without a readable message" }],
  ["throw-cause", "{}", { code: "ECONNREFUSED", message: "fetch failed" }],
  ["throw-json", "{}", { name: "SyntaxError" }],
  ["task-error", "{}", { name: "TaskError", code: "MAILBOX_FULL", message: "full", status: 503 }],
  ["late", "{}", { message: "late rejection" }],
  ["exception", "{}", { message: "late exception" }],
  ["floating", "{}", { message: "floating" }],
] as const satisfies readonly (readonly [action: string, inputs: string, error: object])[];

describe.each([
  ["in this process", inProcess],
  ["in a process of its own", inChild],
] as const)("an action %s", (_where, start) => {
  const run: Run = async (action, { inputs, keys, options } = {}) => await start(task(action, inputs, keys), options);

  it("gets the input that its schema makes, and gives the output that its schema makes", async () => {
    expect(output(await run("typed", { inputs: "{ name: ab }" }))).toEqual({ text: "abab" });
  });

  describe("fails", () => {
    /** All in one run, one after the other: each process takes a while to start. */
    let outcome: Outcome;

    beforeAll(async () => {
      const tasks = FAILURES.map(([action, inputs], index) => {
        const needs = index === 0 ? "" : `, needs: [t${index - 1}]`;
        return `  - { id: t${index}, type: test/contract.${action}, inputs: ${inputs}${needs}, continueOnError: true }`;
      });
      outcome = await start(tasks.join("\n"));
    });

    it.each(FAILURES.map(([action, inputs, expected], index) => ({ action, inputs, expected, index })))(
      "$action $inputs",
      ({ expected, index }) => {
        expect(outcome.finished.tasks[`t${index}`]).toMatchObject({ status: "failed", error: expected });
      },
    );
  });

  it("may not be retried where it says so, and waits as long as it says", async () => {
    const retry = ", retry: { max: 2, backoffSeconds: 0 }";
    expect(warned(await run("task-error", { keys: retry }))).toEqual([]);
    const retried = await run("throw", { keys: retry });
    expect(retried.finished.status).toBe("failed");
    expect(retried.events.filter(({ event }) => event === "task.retried")).toHaveLength(2);
  });

  it("gives what JSON can hold", async () => {
    const outcome = await run("kinds");
    expect(output(outcome)).toEqual({
      map: { a: 1 },
      set: [1],
      big: "12345678901234567890",
      date: "1970-01-01T00:00:00.000Z",
      error: { name: "RangeError", message: "inner", stack: "" },
      bytes: { type: "Buffer", data: [97, 98] },
    });
    expect(output(await run("nothing"))).toBe(undefined);
    expect(output(await run("echo", { inputs: '{ a: [1, null, "ä"], b: { c: true } }' }))).toEqual({
      a: [1, null, "ä"],
      b: { c: true },
    });
  });

  it("logs with levels and data, masked", async () => {
    const outcome = await run("talk", { inputs: '{ a: "{{ secrets.S }}" }' });
    const lines = outcome.events.flatMap((event) =>
      event.event === "task.log" ? [[event.level, event.message, event.data]] : [],
    );
    expect(lines).toEqual([
      ["debug", "one", { input: { a: "***SECRET***" } }],
      ["info", "two", undefined],
      ["warn", "three", { map: { a: "1" } }],
      ["error", "four", { self: "[circular]" }],
    ]);
  });

  it("masks what it calls secret from then on", async () => {
    const outcome = await run("mask");
    expect(logged(outcome)).toEqual(["***SECRET*** and ***SECRET***"]);
    expect(output(outcome)).toEqual({ token: "***SECRET***" });
    expect(Object.keys(outcome.finished.masked)).toEqual(["session", "tasks.t"]);
  });

  it("prints lines, masked over several writes", async () => {
    expect(logged(await run("print"))).toEqual(["***SECRET***", "rest"]);
  });

  it("knows its task and its run", async () => {
    expect(output(await run("facts"))).toMatchObject({
      task: { id: "t", type: "test/contract.facts", attempt: 1 },
      execution: { workflow: "w" },
      isOfTask: true,
      aborted: false,
    });
  });

  it("holds back what it shows until the outputs that its schema marks as secret are known", async () => {
    const outcome = await run("secret-output");
    expect(logged(outcome)).toEqual(["the token is ***SECRET***"]);
    expect(outcome.out).not.toContain("born-in-output-1");
  });

  it("ends at its time limit, and is told by its signal", async () => {
    const outcome = await run("polite", { keys: ", timeoutSeconds: 2" });
    expect(error(outcome)).toMatchObject({ code: "TIMED_OUT" });
    expect(logged(outcome)).toEqual(["aborted by TimeoutError"]);
    expect(error(await run("deaf", { keys: ", timeoutSeconds: 0.2" }))).toMatchObject({ code: "TIMED_OUT" });
  });

  it("is cancelled with its run", async () => {
    const signal = AbortSignal.timeout(300);
    expect((await run("deaf", { options: { signal } })).finished.status).toBe("cancelled");
  });

  it("fails late as a warning of the run", async () => {
    const tasks = `${task("afterwards")}\n  - { id: u, type: test/contract.wait, needs: [t], inputs: { ms: 900 } }`;
    const outcome = await start(tasks);
    expect(outcome.finished.status).toBe("success");
    expect(warned(outcome)).toEqual(["the action failed after its attempt had ended: after the end"]);
  });

  it("refuses a number that would change as text", async () => {
    await expect(run("number", { inputs: "{ text: 01234 }" })).rejects.toMatchObject({ code: "WORKFLOW_INVALID" });
  });
});

describe("what an action does in a process of its own", () => {
  it.each([
    [
      "exit",
      "{}",
      "",
      { code: "PROCESS_ENDED", message: "the process of the plugin ended before the action did (exit code 3)" },
    ],
    ["heap", "{}", "", { code: "PROCESS_ENDED", message: expect.stringMatching(/ended before the action did/) }],
    ["loop", "{}", ", timeoutSeconds: 0.3", { code: "TIMED_OUT" }],
    ["large-output", "{}", "", { code: "OUTPUT_UNREADABLE", message: expect.stringContaining("larger than 16 MiB") }],
    [
      "flood",
      "{}",
      "",
      { code: "PROCESS_ENDED", message: "the process of the plugin was ended: it sent a message of more than 16 MiB" },
    ],
    [
      "forge",
      "{}",
      "",
      {
        code: "PROCESS_ENDED",
        message: "the process of the plugin was ended: it sent something that is not a message",
      },
    ],
  ])("fails its task alone: %s", async (action, inputs, keys, expected) => {
    const tasks = `${task(action, inputs, `${keys}, continueOnError: true`)}\n  - { id: u, type: test/contract.echo, needs: [t], inputs: { a: 1 } }`;
    const outcome = await inChild(tasks);
    expect(error(outcome)).toMatchObject(expected);
    expect(outcome.finished.tasks["u"]).toMatchObject({ status: "success", output: { a: 1 } });
  });

  it("logs what it prints, masked, whatever way it takes", async () => {
    const inputs = '{ text: "{{ secrets.S }}" }';
    expect(logged(await inChild(task("console", inputs)))).toEqual(["out ***SECRET***", "err ***SECRET***"]);
    expect(logged(await inChild(task("raw", inputs)))).toEqual(["raw ***SECRET***"]);
  });

  it("leaves out a log line that is too long, as a whole", async () => {
    expect(logged(await inChild(task("long-log")))).toEqual([
      expect.stringMatching(/^\[a log line of \d+ bytes is left out\]$/),
    ]);
  });

  it("has an empty environment, keeps its process for the next task, and shares none with another run or another task at the time", async () => {
    const module = (id: string, needs = "") => `  - { id: ${id}, type: test/contract.module, inputs: {}${needs} }`;
    const outcome = await inChild([module("a"), module("b", ", needs: [a]")].join("\n"));
    const [a, b] = ["a", "b"].map(
      (id) => outcome.finished.tasks[id]?.output as { count: number; pid: number; environment: string[] },
    );
    expect([a?.count, b?.count, a?.environment]).toEqual([1, 2, []]);
    expect(a?.pid).toBe(b?.pid);
    expect(isRunning(a?.pid ?? 0)).toBe(false);
    const other = await inChild(module("a"));
    expect(other.finished.tasks["a"]?.output).toMatchObject({ count: 1 });
  });

  it("starts no process for a workflow without its actions", async () => {
    const host = openHost(folder, "[./contract.mjs]");
    const start = vi.spyOn(PluginProcess.prototype, "load");
    await tryRun("  - { id: t, type: core/console.log, inputs: { message: hi } }", { loadPlugins: host.load });
    expect(start).not.toHaveBeenCalled();
  });
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
