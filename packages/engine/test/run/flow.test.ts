import { defineAction, TaskError, z } from "@autokestra/plugin-sdk";
import type { RunEvent } from "@autokestra/runs";
import { beforeEach, describe, expect, it } from "vitest";
import { RunCancellation } from "../../src/index.ts";
import { logged, type Outcome, type TryOptions, tryRun, warned } from "./try-run.ts";

const TOKEN = "s3cret-t0ken-value";
const secrets = { TOKEN: { type: "apiKey", fields: { value: TOKEN } } } as const;

/** What the actions have got, in order. */
const seen: unknown[] = [];
beforeEach(() => void seen.splice(0));

const input = z.record(z.string(), z.unknown());
const forever = async (signal: AbortSignal) =>
  await new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
const actions = {
  ok: defineAction({
    input,
    run(given) {
      seen.push(given["say"] ?? "ok");
      return given;
    },
  }),
  fail: defineAction({
    input,
    run(given) {
      seen.push("fail");
      throw new TaskError({
        message: typeof given["text"] === "string" ? `no ${given["text"]}` : "no",
        code: "NOPE",
        status: 418,
        retryable: false,
      });
    },
  }),
  forever: defineAction({ input, run: async (_, { signal }) => await forever(signal) }),
};

async function run(tasks: string, head = "", more: TryOptions = {}): Promise<Outcome> {
  return await tryRun(tasks, { actions, secrets, head, ...more });
}

function statuses({ finished }: Outcome): Record<string, string> {
  return Object.fromEntries(Object.entries(finished.tasks).map(([id, { status }]) => [id, status]));
}

describe("if", () => {
  it("runs a task or skips it, and those that need it", async () => {
    const outcome = await run(
      `
  - { id: yes, type: test/do.ok, if: inputs.n == 2 }
  - { id: no, type: test/do.ok, if: inputs.n > 2 }
  - { id: after, type: test/do.ok, needs: [no] }
  - { id: asks, type: test/do.ok, needs: [no], if: tasks.no.status == "skipped" }
  - { id: both, type: test/do.ok, needs: [yes, asks] }
`,
      "inputs: { n: { type: number, default: 2 } }",
    );
    expect(statuses(outcome)).toEqual({
      yes: "success",
      no: "skipped",
      after: "skipped",
      asks: "success",
      both: "success",
    });
    expect(outcome.finished.status).toBe("success");
    const messages = outcome.events.flatMap((event) =>
      event.event === "task.finished" && event.message.startsWith("skipped")
        ? [`${event.level} ${event.task} ${event.message}`]
        : [],
    );
    expect(messages).toEqual([
      "info no skipped: its `if` is not true",
      "error after skipped: a task that it needs did not succeed",
    ]);
    expect(outcome.events.filter(({ event }) => event === "task.started")).toHaveLength(3);
  });

  it("that cannot be decided fails the task, and names no value", async () => {
    const outcome = await run(
      `  - { id: a, type: test/do.ok, inputs: { x: "a-value" } }\n  - { id: b, type: test/do.ok, needs: [a], if: tasks.a.output.x < 1 }\n`,
    );
    expect(outcome.finished.tasks["b"]?.error?.message).toBe(
      "The condition cannot be decided: 'tasks.a.output.x' is text and the literal is a number: < compares two texts or two numbers",
    );
    expect(outcome.finished.status).toBe("failed");
    const gone = await run(
      `  - { id: a, type: test/do.ok, if: inputs.m.x == 1 }\n`,
      "inputs: { m: { type: json, default: {} } }",
    );
    expect(gone.finished.tasks["a"]?.error?.message).toBe("'inputs.m.x': there is no 'x'");
    expect(gone.finished.tasks["a"]?.error?.code).toBe("REFERENCE_INVALID");
  });
});

describe("a failure", () => {
  it("lets what runs go on, starts nothing new, and is said of each task", async () => {
    const told: RunEvent[] = [];
    const hasFailed = () => told.some((event) => event.event === "task.finished" && event.task === "bad");
    const outcome = await run(
      `
  - { id: slow, type: test/do.wait }
  - { id: bad, type: test/do.fail }
  - { id: later, type: test/do.ok, needs: [slow] }
  - { id: after, type: test/do.ok, needs: [bad] }
`,
      "",
      {
        actions: {
          ...actions,
          wait: defineAction({
            input,
            async run() {
              await expect.poll(hasFailed, { interval: 5 }).toBe(true);
            },
          }),
        },
        sink: (event) => void told.push(event),
      },
    );
    expect(statuses(outcome)).toEqual({ slow: "success", bad: "failed", later: "skipped", after: "skipped" });
    expect(JSON.stringify(told)).toContain("skipped: another task has failed");
  });

  it("of a task that may fail lets the others start, with its error, masked, and no output", async () => {
    const outcome = await run(`
  - { id: bad, type: test/do.fail, continueOnError: true, inputs: { text: "{{ secrets.TOKEN }}" } }
  - id: next
    type: test/do.ok
    needs: [bad]
    if: tasks.bad.error.code == "NOPE" and tasks.bad.status == "failed" and tasks.bad.output == null
    inputs:
      error: "{{ tasks.bad.error }}"
      say: "{{ tasks.bad.error.message }}|{{ tasks.bad.output.x ?? 0 }}"
`);
    expect(statuses(outcome)).toEqual({ bad: "failed", next: "success" });
    expect(outcome.finished.status).toBe("success");
    expect(seen).toEqual(["fail", "no ***SECRET***|0"]);
    expect(outcome.finished.tasks["next"]?.output).toMatchObject({
      error: { code: "NOPE", message: "no ***SECRET***", status: 418 },
    });
  });
});

describe("onFailure and finally", () => {
  const tail = `
onFailure:
  - { id: alarm, type: test/do.ok, inputs: { say: "alarm {{ run.status }} {{ run.failedTask }} {{ run.error }}" } }
  - { id: second, type: test/do.ok, inputs: { say: "second {{ tasks.alarm.status }} {{ tasks.a.status }}" } }
finally:
  - { id: cleanup, type: test/do.ok, if: 'run.status in ["success", "failed", "cancelled"]', inputs: { say: "cleanup {{ run.status }}" } }
  - { id: last, type: test/do.ok, inputs: { say: "last {{ tasks.alarm.status }} {{ tasks.cleanup.status }}" } }`;

  it("run after a failure, one after the other, and know it, masked", async () => {
    const outcome = await run(`  - { id: a, type: test/do.fail, inputs: { text: "{{ secrets.TOKEN }}" } }\n`, tail);
    expect(seen).toEqual([
      "fail",
      "alarm failed a no ***SECRET***",
      "second success failed",
      "cleanup failed",
      "last success success",
    ]);
    expect(outcome.finished.status).toBe("failed");
    expect(Object.keys(outcome.finished.tasks)).toEqual(["a", "alarm", "second", "cleanup", "last"]);
  });

  it("without a failure: only finally", async () => {
    const outcome = await run(`  - { id: a, type: test/do.ok }\n`, tail);
    expect(seen).toEqual(["ok", "cleanup success", "last skipped success"]);
    expect(outcome.finished.status).toBe("success");
    expect(Object.keys(outcome.finished.tasks)).toEqual(["a", "cleanup", "last"]);
  });

  it("after a cancellation: only finally, whose signal is its own", async () => {
    const cancel = new AbortController();
    const outcome = await run(
      "  - { id: a, type: test/do.cancel }\n  - { id: b, type: test/do.ok, needs: [a] }\n",
      tail,
      {
        signal: cancel.signal,
        actions: {
          ...actions,
          cancel: defineAction({
            input,
            async run(_, { signal }) {
              cancel.abort();
              await forever(signal);
            },
          }),
        },
      },
    );
    expect(seen).toEqual(["cleanup cancelled", "last skipped success"]);
    expect(outcome.finished).toMatchObject({ status: "cancelled", cancelledBy: "user" });
    expect(statuses(outcome)).toEqual({ a: "cancelled", b: "cancelled", cleanup: "success", last: "success" });
  });

  it.each(["user", "shutdown", "superseded"] as const)("are told who has cancelled the run: %s", async (by) => {
    const outcome = await run("  - { id: a, type: test/do.ok }\n", tail, {
      signal: AbortSignal.abort(new RunCancellation(by)),
    });
    expect(outcome.finished).toMatchObject({ status: "cancelled", cancelledBy: by });
    expect(seen).toEqual(["cleanup cancelled", "last skipped success"]);
  });

  it("after the time of the run: only finally", async () => {
    const outcome = await run("  - { id: a, type: test/do.forever }\n", `timeoutSeconds: 0.05\n${tail}`);
    expect(outcome.finished).toMatchObject({ status: "cancelled", cancelledBy: "timeout" });
    expect(seen).toEqual(["cleanup cancelled", "last skipped success"]);
  });

  it("a time-out within onFailure ends it, and the run stays failed", async () => {
    const head = `timeoutSeconds: 2
onFailure: [{ id: alarm, type: test/do.forever }, { id: second, type: test/do.ok }]
finally: [{ id: cleanup, type: test/do.ok, inputs: { say: "{{ run.status }}" } }]`;
    const outcome = await run("  - { id: a, type: test/do.fail }\n", head);
    expect(statuses(outcome)).toEqual({ a: "failed", alarm: "cancelled", second: "cancelled", cleanup: "success" });
    expect(outcome.finished.status).toBe("failed");
    expect(seen).toEqual(["fail", "failed"]);
  });

  it("a failure in finally makes a successful run failed, and the rest of finally runs", async () => {
    const head =
      "finally: [{ id: bad, type: test/do.fail }, { id: last, type: test/do.ok, inputs: { say: '{{ run.status }} {{ run.failedTask }}' } }]";
    const outcome = await run("  - { id: a, type: test/do.ok }\n", head);
    expect(outcome.finished.status).toBe("failed");
    expect(seen).toEqual(["ok", "fail", "failed bad"]);
  });

  it("a failure in onFailure is a warning, and the rest of it runs", async () => {
    const head =
      "onFailure: [{ id: bad, type: test/do.fail }, { id: last, type: test/do.ok, inputs: { say: '{{ run.failedTask }}' } }]";
    const outcome = await run("  - { id: a, type: test/do.fail }\n", head);
    expect(warned(outcome)).toEqual(["Task 'bad' of `onFailure` failed"]);
    expect(seen).toEqual(["fail", "fail", "a"]);
    expect(outcome.finished.status).toBe("failed");
  });

  it("each has a time limit of its own", async () => {
    const head = `onFailure: [{ id: slow, type: test/do.forever, timeoutSeconds: 0.05 }]
finally: [{ id: slow2, type: test/do.forever, timeoutSeconds: 0.05 }, { id: last, type: test/do.ok }]`;
    const outcome = await run("  - { id: a, type: test/do.fail }\n", head);
    expect(statuses(outcome)).toEqual({ a: "failed", slow: "failed", slow2: "failed", last: "success" });
    expect(outcome.finished.tasks["slow2"]?.error).toMatchObject({ code: "TIMED_OUT" });
  });

  it("finally has a limit in all: what is left of a shutdown", async () => {
    const signal = AbortSignal.abort(new RunCancellation("shutdown", { finallySeconds: 0.05 }));
    const head = "finally: [{ id: slow, type: test/do.forever }, { id: last, type: test/do.ok }]";
    const outcome = await run("  - { id: a, type: test/do.ok }\n", head, { signal });
    expect(statuses(outcome)).toEqual({ a: "cancelled", slow: "cancelled", last: "cancelled" });
    expect(outcome.finished).toMatchObject({ status: "cancelled", cancelledBy: "shutdown" });
    expect(new RunCancellation("user", { finallySeconds: 9000 }).finallySeconds).toBe(300);
  });

  it("a pause before a retry ends with the time of finally", async () => {
    const signal = AbortSignal.abort(new RunCancellation("shutdown", { finallySeconds: 1 }));
    const head = "finally: [{ id: busy, type: test/do.busy, retry: { max: 3 } }]";
    const outcome = await run("  - { id: a, type: test/do.ok }\n", head, {
      signal,
      actions: {
        ...actions,
        busy: defineAction({
          input,
          run() {
            throw new TaskError({ message: "busy", retryAfterSeconds: 5 });
          },
        }),
      },
    });
    expect(outcome.finished.tasks["busy"]?.error?.message).toContain("longer than what is left of the run");
  });
});

describe("retry", () => {
  it("never: one attempt", async () => {
    await run("  - { id: a, type: test/do.fail, retry: never }\n");
    expect(seen).toEqual(["fail"]);
  });

  it("decides the if once, and resolves the inputs for each attempt", async () => {
    let left = 2;
    const outcome = await run(
      `  - { id: a, type: test/do.flaky, if: inputs.go, retry: { max: 3, backoffSeconds: 0 }, inputs: { say: "{{ secrets.TOKEN }}" } }\n`,
      "inputs: { go: { type: boolean, default: true } }",
      {
        actions: {
          flaky: defineAction({
            input,
            run(given, { task }) {
              seen.push(given["say"], task.attempt);
              left -= 1;
              if (left >= 0) throw new Error("not yet");
            },
          }),
        },
      },
    );
    expect(outcome.finished.status).toBe("success");
    expect(seen).toEqual([TOKEN, 1, TOKEN, 2, TOKEN, 3]);
  });
});

describe("references", () => {
  it("of every root have a value, with ?? and filters", async () => {
    const outcome = await run(
      `
  - { id: a, type: test/do.ok, inputs: { version: null, list: [{ name: x }] } }
  - id: b
    type: test/do.ok
    needs: [a]
    inputs:
      deep: "{{ inputs.map.k.0 }}"
      gone: "{{ inputs.map.gone ?? 1 }}"
      none: "{{ tasks.a.output.version ?? \\"latest\\" }}"
      name: "{{ tasks.a.output.list.0.name | json }}"
      status: "{{ tasks.a.status }}"
      error: "{{ tasks.a.error }}"
      ids: "{{ workflow.id }}"
`,
      "inputs: { map: { type: json, default: { k: [7] } } }",
    );
    expect(outcome.finished.tasks["b"]?.output).toEqual({
      deep: 7,
      gone: 1,
      none: "latest",
      name: '"x"',
      status: "success",
      error: null,
      ids: "w",
    });
  });

  it("mask a secret in the form that filters give it, and nothing else", async () => {
    const odd = "  padded s3cret & value  ";
    const outcome = await tryRun(
      `
  - id: a
    type: test/do.ok
    inputs:
      twice: "{{ secrets.ODD | base64 | base64 }}"
      trimmed: "{{ secrets.ODD | trim | urlencode | base64 }}"
      plain: "{{ inputs.word | base64 }}"
      input: "{{ inputs.password | base64 | base64 }}"
  - { id: b, type: test/do.ok, needs: [a], inputs: { again: "{{ tasks.a.output.input | base64 | base64 | base64 }}" } }
`,
      {
        actions,
        secrets: { ODD: { type: "apiKey", fields: { value: odd } } },
        head: "inputs: { word: { type: string, default: public-word }, password: { type: string, secret: true } }",
        inputs: { password: "pass-word-4711" },
      },
    );
    const mask = "***SECRET***";
    expect(outcome.finished.tasks["a"]?.output).toEqual({
      twice: mask,
      trimmed: mask,
      plain: Buffer.from("public-word").toString("base64"),
      input: mask,
    });
    expect(outcome.finished.tasks["b"]?.output).toEqual({ again: mask });
    expect(Object.keys(outcome.finished.masked)).toEqual(expect.arrayContaining(["ODD", "inputs.password"]));
  });
});

describe("outputs", () => {
  it("are those of the run, masked", async () => {
    const outcome = await run(
      `  - { id: a, type: test/do.ok, secretOutputs: [key], inputs: { version: 3, key: "late-secret-key" } }\n`,
      `outputs: { version: "{{ tasks.a.output.version }}", key: "is {{ tasks.a.output.key }}", token: "{{ secrets.TOKEN | base64 | base64 }}", none: "{{ tasks.a.output.gone ?? false }}" }`,
    );
    expect(outcome.finished.outputs).toEqual({
      version: 3,
      key: "is ***SECRET***",
      token: "***SECRET***",
      none: false,
    });
  });

  it("that cannot be made fail the run, and onFailure knows", async () => {
    const head = `outputs: { x: "{{ tasks.a.output.gone }}" }
onFailure: [{ id: alarm, type: test/do.ok, inputs: { say: "{{ run.failedTask }}: {{ run.error }}" } }]`;
    const outcome = await run("  - { id: a, type: test/do.ok }\n", head);
    expect(outcome.finished.status).toBe("failed");
    expect(outcome.finished.outputs).toBeUndefined();
    expect(seen[1]).toBe(
      "null: The outputs of the workflow cannot be resolved: 'tasks.a.output.gone': there is no 'gone'",
    );
    expect(warned(outcome)).toHaveLength(1);
  });

  it("of a failed run are none", async () => {
    const outcome = await run(
      "  - { id: a, type: test/do.fail, continueOnError: true }\n  - { id: b, type: test/do.fail, needs: [a] }\n",
      "outputs: { x: 1 }",
    );
    expect(outcome.finished.outputs).toBeUndefined();
    expect(logged(outcome)).toEqual([]);
  });
});

describe("R17: two runs in one process", () => {
  it("share no secret, no output and no mask", async () => {
    const one = { X: { type: "apiKey", fields: { value: "first-secret-1111" } } } as const;
    const other = { X: { type: "apiKey", fields: { value: "second-secret-2222" } } } as const;
    const tasks = `  - { id: a, type: test/do.meet, inputs: { x: "{{ secrets.X }}" } }\n  - { id: b, type: test/do.ok, needs: [a], inputs: { say: "{{ secrets.X }}", got: "{{ tasks.a.output.x }}" } }\n`;
    let waiting = 2;
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const meet = defineAction({
      input,
      async run(given) {
        waiting -= 1;
        if (waiting === 0) open();
        await gate;
        return { ...given, others: "first-secret-1111 second-secret-2222" };
      },
    });
    const [first, second] = await Promise.all(
      [one, other].map(async (own) => await tryRun(tasks, { secrets: own, actions: { ...actions, meet } })),
    );
    expect(first?.finished.tasks["a"]?.output).toMatchObject({ others: "***SECRET*** second-secret-2222" });
    expect(second?.finished.tasks["a"]?.output).toMatchObject({ others: "first-secret-1111 ***SECRET***" });
    expect(new Set(seen)).toEqual(new Set(["first-secret-1111", "second-secret-2222"]));
  });
});
