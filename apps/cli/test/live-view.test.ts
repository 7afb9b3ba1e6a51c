import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { parseWorkflow } from "@autokestra/engine";
import type { RunEvent } from "@autokestra/runs";
import measure from "fast-string-truncated-width";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LiveView } from "../src/output/live-view.ts";
import type { Terminal } from "../src/output/terminal.ts";
import { inTerminal } from "./in-terminal.ts";
import { createSandbox, type Sandbox } from "./run-cli.ts";

const CANARY = "canary-of-a-token-1";
const ESCAPE = "\u001b";
/** Moves up, as only the view does. */
const UP = new RegExp(`${ESCAPE}\\[\\d+A`);

describe("on a terminal", () => {
  let box: Sandbox;

  beforeEach(async () => {
    box = createSandbox();
    await box.ak(["secrets", "set", "TOKEN"], { input: CANARY });
    writeFileSync(
      join(box.folder, "w.yaml"),
      `apiVersion: v1
id: w
secrets: [TOKEN]
tasks:
  - { id: first, type: core/shell.run, inputs: { env: { T: "{{ secrets.TOKEN }}" }, script: "echo got $T; until test -e go; do sleep 0.02; done; echo done" } }
  - { id: second, type: core/shell.run, needs: [first], inputs: { command: sleep, args: ["0.1"] } }
  - { id: third, type: core/console.log, needs: [second], inputs: { message: end } }
`,
    );
  });

  afterEach(() => box.remove());

  it("shows the tasks below the log, and in the end the log alone", async () => {
    const steps = [{ wait: "running" }, { wait: " s" }, { makeFile: "go" }];
    const { output, ...end } = await inTerminal(box, ["run", "w.yaml"], steps);
    expect(end).toEqual({ code: 0, restored: true });
    const text = stripVTControlCharacters(output);
    expect(text).toMatch(/w 0\/3 {2}1 running/);
    expect(text).toMatch(/ {2}running {4}first +\d\.\d s/);
    expect(text).toMatch(/ {2}success {4}first +\d\.\d s {2}masked 1x/);
    expect(output).not.toContain(`${ESCAPE}[?`);
    expect(output).not.toContain(CANARY);
    // All lines that a pipe gets are there too, and nothing follows the last one.
    const plain = await box.ak(["run", "w.yaml"]);
    const withoutTimes = (all: string) => all.replaceAll(/\d\d:\d\d:\d\d\.\d{3} |\d+ ms/g, "");
    const lines = text.split("\r\n").filter((line) => / (INFO|WARN|ERROR) /.test(line));
    expect(withoutTimes(lines.join("\n").replaceAll("\r", ""))).toBe(withoutTimes(plain.stdout.trimEnd()));
    expect(text.endsWith(`${lines.at(-1)}\r\n`)).toBe(true);
  });

  it("leaves the terminal as it was when a signal comes while it draws", async () => {
    const { output, ...end } = await inTerminal(box, ["run", "w.yaml"], [{ wait: "running" }, { signal: "SIGINT" }]);
    expect(end).toEqual({ code: 130, restored: true });
    expect(stripVTControlCharacters(output)).toMatch(
      /run cancelled in \d+ ms; masked: TOKEN \dx\r\n$|run cancelled in \d+ ms\r\n$/,
    );
  });

  it.each<[string, readonly string[], object]>([
    ["--no-live", ["--no-live"], {}],
    ["--no-color", ["--no-color"], {}],
    ["--json", ["--json"], {}],
    ["--quiet", ["--quiet"], {}],
    ["NO_COLOR", [], { env: { NO_COLOR: "1" } }],
    ["CI", [], { env: { CI: "true" } }],
    ["TERM=dumb", [], { term: "dumb" }],
  ])("prints plain lines with %s", async (_, args, options) => {
    writeFileSync(join(box.folder, "go"), "");
    const { output, code } = await inTerminal(box, ["run", "w.yaml", ...args], [], options);
    expect(code).toBe(0);
    expect(output).not.toMatch(UP);
  });
});

describe("the view", () => {
  const base = { time: "2026-01-01T00:00:00.000Z", level: "info", execution: "e" } as const;
  const started: RunEvent = { ...base, event: "run.started", workflow: "w", message: "workflow w" };

  /** A view on a screen of this size, and what is written to it. */
  function open(ids: readonly string[], columns: number, rows: number) {
    const tasks = ids.map((id) => ({ id, type: "core/console.log", inputs: { message: "x" } }));
    const { workflow } = parseWorkflow(JSON.stringify({ apiVersion: "v1", id: "w", tasks }), "w.yaml");
    const written: string[] = [];
    let unread = 0;
    const terminal: Terminal = {
      json: false,
      quiet: false,
      color: true,
      outputIsTty: true,
      inputIsTty: false,
      write: (text) => void written.push(text),
      unread: () => unread,
      note: () => undefined,
      warn: () => undefined,
    };
    const view = new LiveView(terminal, { columns: () => columns, rows: () => rows });
    view.expect(workflow);
    view.update(started);
    return { view, written, stop: () => (unread = 1) };
  }

  it.each([
    [1, 80, 24],
    [5, 40, 10],
    [1000, 40, 10],
    [1000, 80, 24],
    [1000, 1, 1],
  ])("of %i tasks fits on %i columns and %i rows", (count, columns, rows) => {
    const { view, written } = open(
      Array.from({ length: count }, (_, index) => `task-${index}-${"x".repeat(index % 60)}`),
      columns,
      rows,
    );
    view.update({ ...base, event: "task.started", task: "task-0-", message: "started" });
    view.update({ ...base, event: "task.started", task: "子/日本語の名前がとても長いタスク", message: "started" });
    view.terminal.write("a line\n");
    const [above, ...lines] = stripVTControlCharacters(written.at(-1) ?? "")
      .split("\n")
      .slice(0, -1);
    expect(above).toBe("a line");
    expect(lines.length).toBeLessThanOrEqual(Math.max(3, rows / 2));
    for (const line of lines) expect(measure(line).width).toBeLessThan(Math.max(columns, 2) + 1);
    view.end();
  });

  it("writes what plugins print in whole lines, and the rest at its end", () => {
    const { view, written } = open(["a"], 80, 24);
    view.print(Buffer.from("one\ntw"));
    view.print(Buffer.from("o"));
    expect(written.join("")).toContain("one\n");
    expect(written.join("")).not.toContain("tw");
    view.end();
    expect(stripVTControlCharacters(written.at(-1) ?? "")).toBe("\rtwo\n");
  });

  it("draws nothing on a terminal that takes nothing, but drops no line", () => {
    const { view, written, stop } = open(["a"], 80, 24);
    stop();
    view.terminal.write("one\n");
    view.terminal.write("two\n");
    expect(written.join("")).toBe("one\ntwo\n");
    view.end();
  });
});
