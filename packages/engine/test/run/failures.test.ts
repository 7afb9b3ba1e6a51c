import { createServer } from "node:http";
import { defineAction, PluginInputError, TaskError, z } from "@autokestra/plugin-sdk";
import type { RunEvent } from "@autokestra/runs";
import { listen } from "@autokestra/test-kit";
import { afterEach, describe, expect, it, vi } from "vitest";
import { planNextAttempt } from "../../src/run/task-attempt.ts";
import { describeThrown } from "../../src/run/task-failure.ts";
import type { RetryReason } from "../../src/workflow/workflow.ts";
import { type Outcome, tryRun } from "./try-run.ts";

const input = z.record(z.string(), z.unknown());
const SECRET = "canary-secret-0815";
const secrets = { S: { type: "apiKey", fields: { value: SECRET } } } as const;

function hostile<T extends object>(target: T, key: string): T {
  return Object.defineProperty(target, key, {
    get() {
      throw new Error(`${key} ${SECRET}`);
    },
    enumerable: true,
  });
}

const trap = () => {
  throw new Error(SECRET);
};
const allTraps = { get: trap, has: trap, getPrototypeOf: trap, ownKeys: trap, getOwnPropertyDescriptor: trap };

/** Runs one action in task `a`, beside a task `b` that succeeds. */
async function tryAction(run: () => unknown, more = ""): Promise<Outcome> {
  const actions = { one: defineAction({ input, run }), two: defineAction({ input, run: () => 2 }) };
  const tasks = `  - { id: a, type: test/do.one${more} }\n  - { id: b, type: test/do.two }\n`;
  const outcome = await tryRun(tasks, { actions, secrets });
  expect(outcome.out).not.toContain(SECRET);
  expect(outcome.finished).toMatchObject({ event: "run.finished", tasks: { b: { status: "success", output: 2 } } });
  return outcome;
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = [value];
  return value;
}

function circle(): unknown {
  const value: Record<string, unknown> = {};
  value["again"] = { value };
  return value;
}

describe("K23: whatever an action throws fails its task, with a message that can be read", () => {
  it.each<[string, () => unknown, string]>([
    [
      "an error whose message throws",
      () => hostile(new Error("x"), "message"),
      "the action threw something without a readable message",
    ],
    ["an error whose name throws", () => hostile(new Error(`m ${SECRET}`), "name"), "m ***SECRET***"],
    ["an error whose stack throws", () => hostile(new Error("m"), "stack"), "m"],
    ["an error whose cause throws", () => hostile(new Error("m"), "cause"), "m"],
    ["an error whose retryable throws", () => hostile(new Error("m"), "retryable"), "m"],
    ["a frozen error", () => Object.freeze(new Error("m")), "m"],
    ["an error without a message", () => new Error(), "the action threw an error without a message"],
    ["an error with a code alone", () => Object.assign(new Error(), { code: "ECONNREFUSED" }), "ECONNREFUSED"],
    [
      "an error whose message is an object",
      () => Object.assign(new Error("x"), { message: {} }),
      "the action threw something without a readable message",
    ],
    [
      "a proxy that throws at everything",
      () => new Proxy({}, allTraps),
      "the action threw something without a readable message",
    ],
    [
      "a proxy of an error",
      () => new Proxy(new Error("m"), allTraps),
      "the action threw something without a readable message",
    ],
    ["null", () => null, "the action threw null"],
    ["undefined", () => undefined, "the action threw undefined"],
    ["a text", () => `text ${SECRET}`, "text ***SECRET***"],
    ["an empty text", () => "", "the action threw an empty text"],
    ["a symbol", () => Symbol("sign"), "Symbol(sign)"],
    ["a bigint", () => 12n, "12"],
    ["a function", () => () => 1, "the action threw a function"],
    ["an object", () => ({ detail: 1 }), "the action threw something without a readable message"],
    ["an object with a message", () => ({ message: "m" }), "m"],
  ])("%s", async (_, thrown, message) => {
    for (const more of ["", ", secretOutputs: [token]"]) {
      const { finished } = await tryAction(() => {
        throw thrown();
      }, more);
      expect(finished.tasks["a"]?.status).toBe("failed");
      if (more === "") expect(finished.tasks["a"]?.error?.message).toBe(message);
    }
    const rejected = await tryAction(async () => await Promise.reject(thrown()));
    expect(rejected.finished.tasks["a"]?.error?.message).toBe(message);
  });
});

describe("K28: an output that cannot be read fails its task", () => {
  const THROWS = "the output of the action cannot be read: a part of it throws when it is read";
  /** It takes seconds. */
  const DEEPER: [string, () => unknown, string][] =
    process.env["LONG_TESTS"] === "true"
      ? [
          [
            "5 000 000 levels",
            () => nested(5_000_000),
            "the output of the action cannot be read: it is too large, or nested too deep",
          ],
        ]
      : [];
  it.each<[string, () => unknown, string]>([
    ["a getter that throws", () => ({ deep: [hostile({}, "x")] }), THROWS],
    ["toJSON that throws", () => ({ toJSON: trap }), THROWS],
    ["a proxy", () => ({ inner: new Proxy({}, allTraps) }), THROWS],
    ["a circle", circle, "the output of the action cannot be read: it contains itself"],
    [
      "100 000 levels",
      () => nested(100_000),
      "the output of the action cannot be read: it is too large, or nested too deep",
    ],
    ...DEEPER,
    ["a thenable whose then throws", () => hostile({}, "then"), "then ***SECRET***"],
    [
      "a thenable that rejects with nothing",
      () => new Proxy({}, { get: () => (_: unknown, reject: () => void) => reject() }),
      "the action threw undefined",
    ],
  ])("%s", async (_, output, message) => {
    const { finished } = await tryAction(output);
    expect(finished.tasks["a"]).toMatchObject({ status: "failed", error: { message } });
  });

  it.each<[string, () => unknown, unknown]>([
    ["nothing", () => undefined, undefined],
    ["a function", () => () => 1, undefined],
    [
      "a bigint, a map and a set",
      () => ({ b: 1n, m: new Map([["k", 1]]), s: new Set([1]) }),
      { b: "1", m: { k: 1 }, s: [1] },
    ],
    ["the same object twice", () => ((one) => [one, one])({ x: 1 }), [{ x: 1 }, { x: 1 }]],
  ])("but not %s", async (_, output, expected) => {
    const { finished } = await tryAction(output);
    expect(finished.tasks["a"]).toEqual({ status: "success", ...(expected === undefined ? {} : { output: expected }) });
  });

  it("other tasks get what was read: reading it again runs no code of the action", async () => {
    let reads = 0;
    const once = Object.defineProperty({}, "x", { get: () => ++reads, enumerable: true });
    const actions = {
      one: defineAction({ input, run: () => once }),
      echo: defineAction({ input, run: (given) => given }),
    };
    const tasks = `  - { id: a, type: test/do.one }
  - { id: b, type: test/do.echo, needs: [a], inputs: { x: "{{ tasks.a.output.x }}", all: "{{ tasks.a.output }}" } }\n`;
    const { finished } = await tryRun(tasks, { actions });
    expect(finished.tasks["b"]?.output).toEqual({ x: 1, all: { x: 1 } });
  });
});

describe("K23: log lines", () => {
  it.each<[string, unknown]>([
    ["a symbol", Symbol("sign")],
    ["undefined", undefined],
    ["a proxy", new Proxy({}, allTraps)],
  ])("%s is a message that can be written", async (_, message) => {
    const run = (_given: unknown, { log }: { log: { info(text: string): void } }) => log.info(message as string);
    const { finished } = await tryRun("  - { id: a, type: test/do.one }\n", {
      actions: { one: defineAction({ input, run }) },
    });
    expect(finished.status).toBe("success");
  });
});

/** The messages of `task.retried`. */
const retries = (events: readonly RunEvent[]) =>
  events.flatMap((event) => (event.event === "task.retried" ? [event.message] : []));

/** How often an action is called that always throws this. */
async function countAttempts(
  thrown: unknown,
  retry = "{ max: 2, backoffSeconds: 0 }",
  more = "",
): Promise<{ count: number } & Outcome> {
  let count = 0;
  const fail = () => {
    count += 1;
    throw thrown;
  };
  const outcome = await tryAction(fail, `, retry: ${retry}${more}`);
  return { ...outcome, count };
}

const withStatus = (status: number) => new TaskError({ message: `status ${status}`, status });

describe("KP2: an attempt is repeated after", () => {
  it.each<[string, unknown]>([
    ["a TypeError", new TypeError("x is not a function")],
    ["a TypeError of fetch", new TypeError("fetch failed")],
    ["a RangeError", new RangeError("no")],
    ["a text", "no"],
    ["undefined", undefined],
    ["an abort error", new DOMException("aborted", "AbortError")],
    ["a network error", Object.assign(new Error("x"), { code: "ECONNRESET" })],
    ["a TaskError", new TaskError({ message: "x" })],
    ...[408, 425, 429, 500, 502, 503, 504, 507, 599].map((status): [string, unknown] => [
      `${status}`,
      withStatus(status),
    ]),
  ])("%s", async (_, thrown) => {
    const { count, events } = await countAttempts(thrown);
    expect(count).toBe(3);
    expect(retries(events)).toEqual([
      expect.stringMatching(/^attempt 1 of 3 failed: .*; next in 0 s$/),
      expect.stringMatching(/^attempt 2 of 3 failed: .*; next in 0 s$/),
    ]);
  });

  it("the end of its time", async () => {
    const { events, finished } = await tryAction(
      async () => await new Promise(() => undefined),
      ", timeoutSeconds: 0.02, retry: { max: 1, backoffSeconds: 0 }",
    );
    expect(retries(events)).toEqual(["attempt 1 of 2 failed: timed out after 0.02 s; next in 0 s"]);
    expect(finished.tasks["a"]?.error).toMatchObject({ code: "TIMED_OUT" });
  });
});

describe("KP2: an attempt is not repeated after", () => {
  it.each<[string, unknown]>([
    ["what another attempt cannot change", new TaskError({ message: "x", retryable: false })],
    ["an input that does not fit", new PluginInputError("n: expected number")],
    ...[400, 401, 403, 404, 409, 422, 501, 505, 302].map((status): [string, unknown] => [
      `${status}`,
      withStatus(status),
    ]),
  ])("%s", async (_, thrown) => {
    const { count, events } = await countAttempts(thrown);
    expect([count, retries(events)]).toEqual([1, []]);
  });

  it("a reference that leads nowhere", async () => {
    const actions = { one: defineAction({ input, run: (given) => given }) };
    const tasks = `  - { id: a, type: test/do.one }
  - { id: b, type: test/do.one, needs: [a], retry: { max: 3 }, inputs: { x: "{{ tasks.a.output.x }}" } }\n`;
    const { finished, events } = await tryRun(tasks, { actions });
    expect(retries(events)).toEqual([]);
    expect(finished.tasks["b"]?.error).toMatchObject({ code: "REFERENCE_INVALID" });
  });
});

describe("KP2: retry.on", () => {
  const network = Object.assign(new Error("x"), { code: "ENOTFOUND" });
  it.each<[string, string, unknown, number]>([
    ["names a status", "[429, 404]", withStatus(404), 3],
    ["leaves out a status", "[429]", withStatus(503), 1],
    ["names network errors", "[network]", network, 3],
    [
      "names network errors, which fetch tells in the cause",
      "[network]",
      new TypeError("fetch failed", { cause: network }),
      3,
    ],
    ["names those of core/http", "[network]", new TaskError({ message: "x", code: "HTTP_NETWORK" }), 3],
    ["leaves out network errors", "[timeout, error]", network, 1],
    ["names an action's own timeout", "[timeout]", new DOMException("x", "TimeoutError"), 3],
    ["names that of core/http", "[timeout]", new TaskError({ message: "x", code: "HTTP_TIMEOUT" }), 3],
    ["leaves out timeouts", "[network, error]", new TaskError({ message: "x", code: "HTTP_TIMEOUT" }), 1],
    ["names other errors", "[error]", new TypeError("x"), 3],
    ["leaves out other errors", "[503, network]", new TypeError("x"), 1],
  ])("%s", async (_, on, thrown, expected) => {
    const { count } = await countAttempts(thrown, `{ max: 2, backoffSeconds: 0, on: ${on} }`);
    expect(count).toBe(expected);
  });

  /** Which statuses are tried again without `on`; a status is tried again where it is named, and only then. */
  const STATUSES = [400, 401, 404, 408, 409, 425, 429, 500, 501, 502, 503, 505, 599];
  const TRANSIENT = [408, 425, 429, 500, 502, 503, 599];
  const matrix = STATUSES.flatMap((status) =>
    [true, false, undefined].flatMap((retryable) => [
      { status, retryable, on: undefined, again: retryable !== false && TRANSIENT.includes(status) },
      { status, retryable, on: [status], again: true },
      { status, retryable, on: [status === 418 ? 419 : 418, "error", status], again: true },
      { status, retryable, on: [status === 503 ? 502 : 503], again: false },
      { status, retryable, on: ["error", "network", "timeout"], again: false },
    ]),
  );
  it.each(matrix)(
    "KP2: status $status, retryable $retryable, on $on: again $again",
    ({ status, retryable, on, again }) => {
      const failure = describeThrown(new TaskError({ message: "x", status, retryable }));
      const retry = { max: 1, backoffSeconds: 0, ...(on === undefined ? {} : { on: on as RetryReason[] }) };
      expect("seconds" in planNextAttempt(retry, 1, failure, Number.POSITIVE_INFINITY)).toBe(again);
    },
  );

  it.each<[string, unknown, boolean]>([
    ["an action's word that it is no use", new TaskError({ message: "x", retryable: false }), false],
    ["the same of a broken connection", new TaskError({ message: "x", code: "ECONNRESET", retryable: false }), false],
    ["an input that does not fit", new PluginInputError("n: expected number"), false],
    ["any other error", new Error("x"), true],
  ])("KP2: names kinds of failures: %s", (_, thrown, again) => {
    const retry = { max: 1, backoffSeconds: 0, on: ["error", "network", "timeout", 404] } as const;
    expect("seconds" in planNextAttempt(retry, 1, describeThrown(thrown), Number.POSITIVE_INFINITY)).toBe(again);
  });

  it("KP2: names a status of core/http that nothing else would try again", async () => {
    let requests = 0;
    const server = createServer((_, response) => {
      requests += 1;
      response.writeHead(requests < 3 ? 404 : 200).end();
    });
    const url = await listen(server);
    const task = `  - { id: a, type: core/http.get, inputs: { url: "${url}" }, retry: { max: 3, backoffSeconds: 0, on: [404] } }\n`;
    const { finished } = await tryRun(task);
    server.close();
    expect([finished.status, requests]).toEqual(["success", 3]);
  });

  it.each(["[]", "[200]", "[slow]", "network"])("refuses %s", async (on) => {
    await expect(countAttempts(new Error("x"), `{ max: 2, on: ${on} }`)).rejects.toMatchObject({
      code: "WORKFLOW_INVALID",
    });
  });
});

describe("KP2: Retry-After", () => {
  afterEach(() => vi.restoreAllMocks());

  it("is waited for, and not less than the pause of the task", async () => {
    const asking = (retryAfterSeconds: number) => new TaskError({ message: "busy", status: 429, retryAfterSeconds });
    vi.spyOn(Math, "random").mockReturnValue(0);
    const longer = await countAttempts(asking(0.2), "{ max: 1, backoffSeconds: 0 }");
    expect(retries(longer.events)).toEqual(["attempt 1 of 2 failed: busy; next in 0.2 s"]);
    const shorter = await countAttempts(asking(0), "{ max: 1, backoffSeconds: 0.1 }");
    expect(retries(shorter.events)).toEqual(["attempt 1 of 2 failed: busy; next in 0.1 s"]);
  });

  it("that is longer than 300 s, or than what is left of the run, fails the task at once and says so", async () => {
    const long = await countAttempts(new TaskError({ message: "busy", retryAfterSeconds: 900 }));
    expect([long.count, retries(long.events), long.finished.tasks["a"]?.error?.message]).toEqual([
      1,
      [],
      "busy; the next attempt would have to wait 900 s, longer than 300 s",
    ]);
    const actions = {
      one: defineAction({
        input,
        run() {
          throw new TaskError({ message: "busy", retryAfterSeconds: 200 });
        },
      }),
    };
    const tasks = "  - { id: a, type: test/do.one, retry: { max: 3 } }\n";
    const { finished } = await tryRun(tasks, { actions, head: "timeoutSeconds: 60" });
    expect(finished.tasks["a"]?.error?.message).toBe(
      "busy; the next attempt would have to wait 200 s, longer than what is left of the run",
    );
  });
});

describe("K12: states", () => {
  const actions = {
    ok: defineAction({ input, run: () => 1 }),
    fail: defineAction({
      input,
      run() {
        throw new Error("no");
      },
    }),
    forever: defineAction({ input, run: async () => await new Promise<never>(() => undefined) }),
  };
  const statuses = ({ finished }: Outcome) => Object.values(finished.tasks).map(({ status }) => status);
  const tasks = `
  - { id: done, type: test/do.ok }
  - { id: failing, type: test/do.fail }
  - { id: after, type: test/do.ok, needs: [failing] }
  - { id: open, type: test/do.forever }
  - { id: needs-open, type: test/do.ok, needs: [open] }
`;
  const cancelling = (context: AbortController) => defineAction({ input, run: () => context.abort() });

  it("of a run that is cancelled: what had ended stays as it was, the rest is cancelled", async () => {
    const controller = new AbortController();
    const late = `${tasks}  - { id: ends, type: test/do.cancel, needs: [done, after] }\n`;
    const outcome = await tryRun(late.replace("do.fail }", "do.fail, continueOnError: true }"), {
      actions: { ...actions, cancel: cancelling(controller) },
      signal: controller.signal,
    });
    expect(statuses(outcome)).toEqual(["success", "failed", "success", "cancelled", "cancelled", "cancelled"]);
    expect(outcome.finished).toMatchObject({ status: "cancelled", cancelledBy: "user" });
    expect(outcome.finished.tasks["open"]).toEqual({ status: "cancelled" });
  });

  it("of a run that is out of time", async () => {
    const outcome = await tryRun(tasks, { actions, head: "timeoutSeconds: 2" });
    expect(statuses(outcome)).toEqual(["success", "failed", "skipped", "cancelled", "skipped"]);
    expect(outcome.finished).toMatchObject({ status: "cancelled", cancelledBy: "timeout" });
  });

  it("of a run that is cancelled before its first task", async () => {
    const outcome = await tryRun(tasks, { actions, signal: AbortSignal.abort() });
    expect(new Set(statuses(outcome))).toEqual(new Set(["cancelled"]));
    expect(outcome.events.filter(({ event }) => event === "task.started")).toEqual([]);
  });

  it("of a run whose last task had failed before the signal came: failed", async () => {
    const cancel = new AbortController();
    const events: RunEvent[] = [];
    const sink = (event: RunEvent) => {
      events.push(event);
      if (event.event === "task.finished") cancel.abort();
    };
    const { finished } = await tryRun("  - { id: a, type: test/do.fail }\n", { actions, signal: cancel.signal, sink });
    expect(finished).toMatchObject({ status: "failed", tasks: { a: { status: "failed" } } });
    expect("cancelledBy" in finished).toBe(false);
  });

  it("ends a waiting back-off at once, and does not start what waits for its turn", async () => {
    const cancel = new AbortController();
    const sink = ({ event }: RunEvent) => {
      if (event === "task.retried") cancel.abort();
    };
    const list = `
  - { id: a, type: test/do.fail, retry: { max: 5, backoffSeconds: 3600 } }
  - { id: b, type: test/do.ok }
`;
    const { finished } = await tryRun(list, { actions, signal: cancel.signal, sink, concurrency: 1 });
    expect(Object.values(finished.tasks)).toEqual([{ status: "cancelled" }, { status: "cancelled" }]);
  });
});

describe("tasks.ID.error", () => {
  it.each<[string, unknown, object]>([
    [
      "a TaskError",
      new TaskError({ message: `m ${SECRET}`, code: "MAILBOX_FULL", status: 409 }),
      { name: "TaskError", code: "MAILBOX_FULL", message: "m ***SECRET***", status: 409 },
    ],
    [
      "an error of the system",
      Object.assign(new Error("m"), { code: "EACCES" }),
      { name: "Error", code: "EACCES", message: "m" },
    ],
    ["another error", new TypeError("m"), { name: "TypeError", code: "TASK_FAILED", message: "m" }],
    [
      "a code that is none",
      Object.assign(new Error("m"), { code: `${SECRET} x` }),
      { name: "Error", code: "TASK_FAILED", message: "m" },
    ],
    [
      "a code that is secret",
      Object.assign(new Error("m"), { code: SECRET }),
      { name: "Error", code: "***SECRET***", message: "m" },
    ],
    [
      "a status that is none",
      Object.assign(new Error("m"), { status: 7 }),
      { name: "Error", code: "TASK_FAILED", message: "m" },
    ],
  ])("of %s", async (_, thrown, error) => {
    const { finished } = await tryAction(() => {
      throw thrown;
    });
    expect(finished.tasks["a"]).toMatchObject({ status: "failed", error });
  });
});
