import type { RunEvent } from "@autokestra/runs";
import { describe, expect, it } from "vitest";
import type { Terminal } from "../src/output/terminal.ts";
import { createLiveRunPrinter } from "../src/runs.ts";

const MIB = 1024 * 1024;

/** A terminal whose reader takes only what the test takes. */
function createStoppedTerminal(json: boolean): { terminal: Terminal; lines: string[]; read: () => void } {
  const lines: string[] = [];
  let unread = 0;
  const terminal: Terminal = {
    json,
    quiet: false,
    color: false,
    outputIsTty: false,
    inputIsTty: false,
    write(text) {
      lines.push(text);
      unread += text.length;
    },
    unread: () => unread,
    note: () => undefined,
    warn: () => undefined,
  };
  return { terminal, lines, read: () => (unread = 0) };
}

const base = { time: "2026-01-01T00:00:00.000Z", level: "info", execution: "e1" } as const;
const log = (message: string): RunEvent => ({ ...base, event: "task.log", task: "a", message });
const finished: RunEvent = { ...base, event: "run.finished", status: "success", durationMs: 1, tasks: {}, masked: {} };

describe("K7: the printer of a run", () => {
  it.each([true, false])(
    "holds 64 MiB, then leaves lines out, says how many, and prints the last (json: %s)",
    (json) => {
      const { terminal, lines } = createStoppedTerminal(json);
      const print = createLiveRunPrinter(terminal);
      const message = "x".repeat(MIB - 200);
      for (let count = 0; count < 100; count++) print(log(message));
      print(log("short"));
      print(finished);
      expect(lines).toHaveLength(64 + 2);
      expect(lines.at(-2)).toContain(
        "37 lines left out here, because nothing read the output; `autokestra runs show e1` prints all of them",
      );
      expect(lines.at(-1)).toContain(json ? '"event":"run.finished"' : "run succeeded");
    },
  );

  it("goes on once half of it was read, with one line for each gap", () => {
    const { terminal, lines, read } = createStoppedTerminal(true);
    const print = createLiveRunPrinter(terminal);
    for (let count = 0; count < 70; count++) print(log("x".repeat(MIB)));
    read();
    print(log("again"));
    print(finished);
    expect(lines.filter((line) => line.includes("left out here"))).toHaveLength(1);
    expect(lines.slice(-3).map((line) => JSON.parse(line).event)).toEqual(["run.warning", "task.log", "run.finished"]);
    expect(JSON.parse(lines.at(-3) ?? "").data).toEqual({ linesLeftOut: 7 });
  });

  it("prints a line that is longer than all of it where nothing else waits", () => {
    const { terminal, lines } = createStoppedTerminal(true);
    createLiveRunPrinter(terminal)(log("x".repeat(65 * MIB)));
    expect(lines).toHaveLength(1);
  });
});
