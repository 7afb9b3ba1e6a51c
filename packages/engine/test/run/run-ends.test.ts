// @module-tag faults
import type { RunEvent } from "@autokestra/runs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildHost, type Host } from "./run-host.ts";

let host: Host;

beforeAll(async () => {
  host = await buildHost();
});

afterAll(() => host.remove());

const task = (action: string, more = "") => `  - { id: a, type: test/host.${action}${more} }\n`;

function errorOf(events: readonly RunEvent[]) {
  const last = events.at(-1);
  return last?.event === "run.finished" ? last.tasks["a"]?.error : undefined;
}

describe("a run ends only as finished", () => {
  it.each([
    ["K27: an action that ends the process", "exit", "PROCESS_ENDED"],
    ["K27: an action that ends the process later, with another code", "exit-later", "PROCESS_ENDED"],
    ["K27: an action that sets the exit code, and removes listeners", "exit-code", "PROCESS_ENDED"],
    ["K27: an action that sends SIGTERM to its process", "kill", "PROCESS_ENDED"],
    ["K27: an action that sends SIGKILL to its process", "kill-hard", "PROCESS_ENDED"],
  ])("%s", async (_, action, code) => {
    const tasks = `${task(action)}  - { id: b, type: test/host.slow }\n  - { id: c, type: test/host.ok, needs: [a] }\n`;
    const { code: exit, events, returned, recorded } = await host.run(tasks);
    expect([exit, returned]).toEqual([1, null]);
    expect(events.at(-1)).toMatchObject({
      event: "run.finished",
      status: "failed",
      tasks: {
        a: { status: "failed", error: { code, message: "the action ended the process" } },
        b: { status: "failed", error: { code, message: "the process ended before the task did" } },
        c: { status: "skipped" },
      },
    });
    expect(recorded).toMatchObject({ status: "failed", finishedAt: expect.any(String) });
  });

  it("K26: an action that never settles fails at its limit, although nothing else keeps the process", async () => {
    const { code, events, returned, recorded } = await host.run(task("never", ", timeoutSeconds: 0.5"));
    expect(errorOf(events)).toMatchObject({ code: "TIMED_OUT", message: "timed out after 0.5 s" });
    expect([code, returned, recorded?.status]).toEqual([0, "failed", "failed"]);
  });

  it("K26: an action that never settles fails without a limit once the process has nothing left to wait for", async () => {
    const tasks = `${task("never")}  - { id: b, type: test/host.slow }\n`;
    const { code, events, returned, recorded } = await host.run(tasks);
    expect(errorOf(events)).toMatchObject({ code: "NEVER_ENDED" });
    expect(events.at(-1)).toMatchObject({ status: "failed", tasks: { b: { status: "success" } } });
    expect([code, returned, recorded?.status]).toEqual([1, "failed", "failed"]);
  });

  it.each(["late-rejection", "late-exception", "floating"])(
    "K23: a %s fails its task, masked, and no other",
    async (kind) => {
      const { events, returned, recorded, stderr } = await host.run(
        `${task(kind)}  - { id: b, type: test/host.slow }\n`,
      );
      expect(events.at(-1)).toMatchObject({
        status: "failed",
        tasks: { a: { status: "failed", error: { message: "late ***SECRET***" } }, b: { status: "success" } },
      });
      expect([returned, recorded?.status, stderr]).toEqual(["failed", "failed", ""]);
    },
  );

  it("K23: a rejection after the task is a warning of the run", async () => {
    const { code, events, recorded } = await host.run(`${task("afterwards")}  - { id: b, type: test/host.slow }\n`);
    const warnings = events.filter(({ event }) => event === "run.warning");
    expect(warnings).toMatchObject([
      { task: "a", message: "the action failed after its attempt had ended: late ***SECRET***" },
    ]);
    expect([code, recorded?.status]).toEqual([0, "success"]);
  });

  it("K23: a rejection after the run ends no process, and shows nothing", async () => {
    const { code, stderr, recorded } = await host.run(task("afterwards"), { flags: ["wait"] });
    expect([code, recorded?.status]).toEqual([0, "success"]);
    expect(stderr).toContain("The action test/host.afterwards of task 'a' failed after its run had ended");
    expect(stderr).not.toContain("host-secret");
  });

  it("K23: an error of the program itself is the program's, and the run is recorded", async () => {
    const { code, stderr, events, recorded } = await host.run(task("talk"), { flags: ["own-error"] });
    expect(code).toBe(1);
    expect(stderr).toContain("Error: the program's own");
    expect(errorOf(events)).toMatchObject({ message: "the process ended before the task did" });
    expect(recorded?.status).toBe("failed");
  });
});

describe("K22: the key is out of the environment before any plugin runs", () => {
  it.each<[string, string, readonly string[], string]>([
    ["a key", "ab".repeat(32), [], "no key"],
    ["what is no key", "nonsense", [], "no key"],
    ["a key that a program wants to stay there", "cd".repeat(32), ["keep"], "cd".repeat(32)],
  ])("%s", async (_, key, flags, output) => {
    const { events } = await host.run(task("environment"), { flags, env: { AUTOKESTRA_SECRET_KEY: key } });
    expect(events.at(-1)).toMatchObject({ tasks: { a: { status: "success", output } } });
  });
});
