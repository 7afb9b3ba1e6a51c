import { defineAction, definePlugin, type Plugin, z } from "@autokestra/plugin-sdk";
import type { RunEvent, RunFinished } from "@autokestra/runs";
import type { FoundSecret, SecretSource } from "@autokestra/secrets-core";
import { describe, expect, it } from "vitest";
import { parseWorkflow, type RunOptions, runWorkflow } from "../../src/index.ts";

const TOKEN = "s3cret-t0ken-value";
const PASSWORD = 'p"w\\d with ünï & 9';

const secrets: Readonly<Record<string, FoundSecret>> = {
  TOKEN: { type: "apiKey", fields: { value: TOKEN }, expiresAt: null },
  DB: { type: "basicAuth", fields: { username: "db-admin-user", password: PASSWORD }, expiresAt: null },
  OLD: { type: "bearerToken", fields: { token: "an-old-token" }, expiresAt: "2020-01-01T00:00:00.000Z" },
  ACCOUNT: {
    type: "apiKey",
    fields: {
      value: JSON.stringify({ type: "service", key_id: "4f8a9c0d1e2b3a4c", keys: [{ pem: "BEGIN-cc-dd-END" }] }),
    },
    expiresAt: null,
  },
  TINY: { type: "apiKey", fields: { value: "abc" }, expiresAt: null },
  TRICKY: { type: "apiKey", fields: { value: "{{ secrets.TOKEN }}" }, expiresAt: null },
};

const source: SecretSource = {
  id: "test",
  async lookup(name) {
    const secret = secrets[name];
    return secret === undefined ? { status: "notFound" } : { status: "found", secret };
  },
};

/** What the test plugin saw, unmasked. */
const seen: unknown[] = [];
let failures = 0;

const input = z.record(z.string(), z.unknown());

const plugin: Plugin = definePlugin({
  name: "test/do",
  actions: {
    echo: defineAction({
      input,
      run(given) {
        seen.push(given);
        return given;
      },
    }),
    log: defineAction({
      input,
      run(given, { log }) {
        for (const level of ["debug", "info", "warn", "error"] as const)
          log[level](`${level} ${String(given["text"])}`, given);
      },
    }),
    fail: defineAction({
      input,
      run(given) {
        throw Object.assign(new RangeError(`cannot ${String(given["text"])}`), { detail: given });
      },
    }),
    throws: defineAction({
      input,
      run(given) {
        throw given["text"];
      },
    }),
    flaky: defineAction({
      input,
      run() {
        failures += 1;
        if (failures < 3) throw new Error("not yet");
        return failures;
      },
    }),
    slow: defineAction({
      input,
      run: async (_given, { signal }) =>
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, 20_000);
          signal.addEventListener("abort", () => clearTimeout(timer));
        }),
    }),
    deaf: defineAction({ input, run: async () => await new Promise<never>(() => undefined) }),
    late: defineAction({
      input,
      run(given, { log }) {
        setTimeout(() => log.info(String(given["text"])), 30);
      },
    }),
    odd: defineAction({
      input,
      run(given, { log }) {
        const data: Record<string, unknown> = { big: 10n, map: new Map([["text", given["text"]]]) };
        data["self"] = data;
        log.info("odd", data);
        return data;
      },
    }),
    strict: defineAction({ input: z.strictObject({ n: z.number() }), run: ({ n }) => n }),
  },
});

interface Outcome {
  readonly finished: RunFinished;
  readonly events: readonly RunEvent[];
  /** Everything that got out, as text. */
  readonly out: string;
}

async function run(tasks: string, options: Partial<RunOptions> & { head?: string } = {}): Promise<Outcome> {
  seen.length = 0;
  failures = 0;
  const events: RunEvent[] = [];
  const head = options.head ?? "secrets: [TOKEN, DB]";
  const parsed = parseWorkflow(`apiVersion: v1\nid: w\n${head}\ntasks:\n${tasks}`, "w.yaml");
  const sink = (event: RunEvent) => void events.push(event);
  const finished = await runWorkflow(parsed, { sources: [source], plugins: [plugin], sink, ...options });
  return { finished, events, out: JSON.stringify(events) };
}

/** The texts that must never be in an output. */
function expectNoSecret(out: string): void {
  const basic = Buffer.from(`db-admin-user:${PASSWORD}`).toString("base64");
  expect(out).not.toContain(Buffer.from(basic).toString("base64").slice(0, -4));
  for (const value of [
    TOKEN,
    PASSWORD,
    JSON.stringify(PASSWORD).slice(1, -1),
    Buffer.from(TOKEN).toString("base64"),
    basic,
  ]) {
    expect(out).not.toContain(value);
    expect(out).not.toContain(JSON.stringify(value).slice(1, -1));
  }
}

describe("runWorkflow", () => {
  it("gives a plugin the values, and everybody else the mask", async () => {
    const { finished, out } = await run(`
  - { id: a, type: test/do.echo, inputs: { t: "Bearer {{ secrets.TOKEN }}", db: "{{ secrets.DB }}", n: 1 } }
  - { id: b, type: test/do.echo, needs: [a], inputs: { from: "{{ tasks.a.output.t }}", all: "{{ tasks.a.output }}" } }
  - { id: c, type: test/do.log, needs: [a], inputs: { text: "{{ secrets.TOKEN }} {{ secrets.DB.password }}" } }
`);
    const first = { t: `Bearer ${TOKEN}`, db: { username: "db-admin-user", password: PASSWORD }, n: 1 };
    expect(seen).toEqual([first, { from: `Bearer ${TOKEN}`, all: first }]);
    expect(finished.status).toBe("success");
    expect(finished.tasks["a"]).toMatchObject({
      status: "success",
      output: { t: "Bearer ***SECRET***", db: { username: "db-admin-user", password: "***SECRET***" }, n: 1 },
    });
    expect(finished.masked["TOKEN"]?.count).toBeGreaterThan(0);
    expect(finished.masked["DB"]?.count).toBeGreaterThan(0);
    expectNoSecret(out);
  });

  it("masks errors, thrown texts, retries and encoded forms", async () => {
    const basic = Buffer.from(`db-admin-user:${PASSWORD}`).toString("base64");
    const { finished, events, out } = await run(`
  - { id: a, type: test/do.fail, inputs: { text: "{{ secrets.TOKEN }}" }, retry: { max: 1, backoffSeconds: 0 } }
  - { id: b, type: test/do.throws, inputs: { text: "{{ secrets.DB.password }}" } }
  - { id: c, type: test/do.log, inputs: { text: "Basic ${basic}, and again ${Buffer.from(basic).toString("base64")}" } }
`);
    expect(finished.status).toBe("failed");
    expect(finished.tasks["a"]).toMatchObject({
      status: "failed",
      error: { name: "RangeError", code: "TASK_FAILED", message: "cannot ***SECRET***" },
    });
    expect(finished.tasks["b"]).toMatchObject({
      status: "failed",
      error: { name: "Error", code: "TASK_FAILED", message: "***SECRET***" },
    });
    expect(events.filter(({ event }) => event === "task.retried")).toHaveLength(1);
    expectNoSecret(out);
  });

  it("lets nothing out after the end", async () => {
    const { events } = await run('\n  - { id: a, type: test/do.late, inputs: { text: "{{ secrets.TOKEN }}" } }');
    const count = events.length;
    await new Promise((resolve) => setTimeout(resolve, 80));
    expect(events.length).toBe(count);
  });

  it("lets nothing out after the sink has failed, and cancels what still runs", async () => {
    const parsed = parseWorkflow(
      `apiVersion: v1\nid: w\nsecrets: [TOKEN]\ntasks:
  - { id: a, type: test/do.late, inputs: { text: "{{ secrets.TOKEN }}" } }
  - { id: b, type: test/do.slow }`,
      "w.yaml",
    );
    const out: string[] = [];
    const sink = (event: RunEvent) => {
      out.push(JSON.stringify(event));
      if (event.event === "task.finished") throw new Error("no space left");
    };
    await expect(runWorkflow(parsed, { sources: [source], plugins: [plugin], sink })).rejects.toThrow("no space left");
    const count = out.length;
    await new Promise((resolve) => setTimeout(resolve, 80));
    expect(out).toHaveLength(count);
    expectNoSecret(out.join(""));
  });

  it("prints data that JSON cannot hold, masked, as far as it can, and takes no output that contains itself", async () => {
    const { out, finished } = await run('\n  - { id: a, type: test/do.odd, inputs: { text: "{{ secrets.TOKEN }}" } }');
    const data = { big: "10", map: { text: "***SECRET***" }, self: "[circular]" };
    expect(finished.tasks["a"]?.error?.message).toBe("the output of the action cannot be read: it contains itself");
    expect(out).toContain(`"message":"odd","data":${JSON.stringify(data)}`);
  });

  it("masks the leaves of a value that is JSON", async () => {
    const { out } = await run(
      `\n  - { id: a, type: test/do.log, inputs: { text: "id 4f8a9c0d1e2b3a4c key BEGIN-cc-dd-END" } }`,
      { head: "secrets: [ACCOUNT]" },
    );
    expect(out).not.toMatch(/4f8a9c0d1e2b3a4c|BEGIN-cc-dd-END/);
  });

  it("puts a value in as it is, even if it looks like a reference", async () => {
    await run('\n  - { id: a, type: test/do.echo, inputs: { x: "{{ secrets.TRICKY }}" } }', {
      head: "secrets: [TRICKY]",
    });
    expect(seen).toEqual([{ x: "{{ secrets.TOKEN }}" }]);
  });

  it("resolves inputs, the execution and the workflow", async () => {
    const head = "inputs: { env: { type: string, default: staging }, n: { type: number } }";
    const tasks =
      '\n  - { id: a, type: test/do.echo, inputs: { e: "{{ inputs.env }}", n: "{{ inputs.n }}", w: "{{ workflow.id }}", x: "{{ execution.id }}" } }';
    const { finished } = await run(tasks, { head, inputs: { n: "7" } });
    expect(seen).toEqual([{ e: "staging", n: 7, w: "w", x: finished.execution }]);
  });

  it("runs independent tasks side by side, dependent ones in order, and skips what cannot run", async () => {
    const { finished, events } = await run(`
  - { id: d, type: test/do.echo, needs: [b, c] }
  - { id: c, type: test/do.fail, needs: [a] }
  - { id: b, type: test/do.echo, needs: [a] }
  - { id: e, type: test/do.echo, needs: [d] }
  - { id: a, type: test/do.echo }
`);
    expect(Object.entries(finished.tasks).map(([id, { status }]) => `${id} ${status}`)).toEqual([
      "d skipped",
      "c failed",
      "b success",
      "e skipped",
      "a success",
    ]);
    const order = events.filter(({ event }) => event === "task.started").map((event) => "task" in event && event.task);
    expect(order[0]).toBe("a");
    expect(new Set(order)).toEqual(new Set(["a", "b", "c"]));
  });

  it("keeps to the concurrency, and starts 300 tasks", async () => {
    let running = 0;
    let most = 0;
    const counting = definePlugin({
      name: "test/count",
      actions: {
        one: defineAction({
          input,
          async run() {
            running += 1;
            most = Math.max(most, running);
            await new Promise((resolve) => setTimeout(resolve, 1));
            running -= 1;
          },
        }),
      },
    });
    const tasks = Array.from({ length: 300 }, (_, index) => `  - { id: t${index}, type: test/count.one }`).join("\n");
    const { finished } = await run(tasks, { plugins: [counting], concurrency: 4 });
    expect(finished.status).toBe("success");
    expect(most).toBe(4);
  });

  it("tries again as often as the task says", async () => {
    const twice = await run("\n  - { id: a, type: test/do.flaky, retry: { max: 2, backoffSeconds: 0.01 } }");
    expect(twice.finished.tasks["a"]).toEqual({ status: "success", output: 3 });
    const once = await run("\n  - { id: a, type: test/do.flaky, retry: { max: 1, backoffSeconds: 0 } }");
    expect(once.finished.tasks["a"]?.status).toBe("failed");
    expect(failures).toBe(2);
  });

  it("does not try inputs again that do not fit", async () => {
    const { finished, events } = await run(
      '\n  - { id: a, type: test/do.strict, inputs: { n: "{{ secrets.TOKEN }}" }, retry: { max: 5 } }',
    );
    expect(finished.tasks["a"]?.error?.message).toContain("n: expected number");
    expect(events.filter(({ event }) => event === "task.retried")).toEqual([]);
  });

  it.each(["slow", "deaf"])("ends a %s task at its timeout", async (action) => {
    const { finished } = await run(`\n  - { id: a, type: test/do.${action}, timeoutSeconds: 0.05 }`);
    expect(finished.tasks["a"]?.error?.message).toBe("timed out after 0.05 s");
  });

  it("ends all tasks when it is cancelled, also one that waits for its next attempt", async () => {
    const cancel = new AbortController();
    setTimeout(() => cancel.abort(), 30);
    const { finished } = await run(
      `
  - { id: a, type: test/do.deaf }
  - { id: b, type: test/do.fail, retry: { max: 5, backoffSeconds: 60 } }
  - { id: c, type: test/do.echo, needs: [a] }
`,
      { signal: cancel.signal },
    );
    expect(Object.values(finished.tasks).map(({ status }) => status)).toEqual(["cancelled", "cancelled", "cancelled"]);
    expect(finished).toMatchObject({ status: "cancelled", cancelledBy: "user" });
  });

  it("is cancelled by a timeout, and succeeds where its signal comes after the last task", async () => {
    const { finished } = await run("\n  - { id: a, type: test/do.deaf }", { signal: AbortSignal.timeout(30) });
    expect(finished).toMatchObject({ status: "cancelled", cancelledBy: "timeout" });
    const cancel = new AbortController();
    const sink = ({ event }: RunEvent) => {
      if (event === "task.finished") cancel.abort();
    };
    const late = await run("\n  - { id: a, type: test/do.echo }", { signal: cancel.signal, sink });
    expect([late.finished.status, "cancelledBy" in late.finished]).toEqual(["success", false]);
  });

  it("fails a task whose reference leads nowhere in an output", async () => {
    const { finished } = await run(`
  - { id: a, type: test/do.echo, inputs: { x: 1 } }
  - { id: b, type: test/do.echo, needs: [a], inputs: { y: "{{ tasks.a.output.z }}" } }
`);
    expect(finished.tasks["b"]?.error?.message).toBe("'tasks.a.output.z': there is no 'z'");
  });

  it("warns of expired secrets and of values that cannot be masked, by name", async () => {
    const { events } = await run("\n  - { id: a, type: test/do.echo }", { head: "secrets: [OLD, TINY]" });
    expect(events.flatMap((event) => (event.event === "run.warning" ? [event.message] : []))).toEqual([
      "Secret 'OLD' expired at 2020-01-01T00:00:00.000Z",
      "Secret 'TINY' has a value that is too short or too common to be masked",
    ]);
  });
});

describe("runWorkflow stops before the first task", () => {
  it.each<[string, string, string, string, string]>([
    ["a missing secret", "secrets: [TOKEN, GONE, AWAY]", "x", "SECRETS_MISSING", "Missing secrets: GONE, AWAY"],
    [
      "a missing field",
      "secrets: [DB]",
      "{{ secrets.DB.token }}",
      "FIELD_NOT_FOUND",
      "Field 'token' not found in secret 'DB' (fields: username, password)",
    ],
    [
      "an object inside a text",
      "secrets: [DB]",
      "a {{ secrets.DB }}",
      "REFERENCE_INVALID",
      "Secret 'DB' has no single value (fields: username, password)",
    ],
    ["a disabled workflow", "enabled: false", "x", "WORKFLOW_DISABLED", "Workflow 'w' is disabled"],
    ["a missing input", "inputs: { n: { type: number } }", "x", "INPUT_INVALID", "Input 'n' is missing"],
    [
      "a default of another type",
      "inputs: { n: { type: number, default: x } }",
      "x",
      "INPUT_INVALID",
      "The default of input 'n' must be a number",
    ],
  ])("for %s", async (_, head, text, code, message) => {
    const tasks = `\n  - { id: a, type: test/do.echo, inputs: { x: "${text}" } }`;
    await expect(run(tasks, { head })).rejects.toMatchObject({ code, message });
    expect(seen).toEqual([]);
  });

  it("for an unknown action, with a proposal", async () => {
    await expect(run("\n  - { id: a, type: test/do.ecko }")).rejects.toMatchObject({
      code: "WORKFLOW_INVALID",
      message: "There is no action 'test/do.ecko'",
      hint: "Did you mean 'test/do.echo'?",
    });
  });

  it.each<[string, Record<string, string>, string]>([
    ["an unknown input", { m: "1" }, "The workflow has no input 'm'"],
    ["text for a number", { n: "seven" }, "Input 'n' must be a number"],
    ["a number for a boolean", { n: "1", b: "1" }, "Input 'b' must be a boolean"],
    ["no JSON", { n: "1", j: "{" }, "Input 'j' must be JSON"],
  ])("for %s", async (_, inputs, message) => {
    const head =
      "inputs: { n: { type: number }, b: { type: boolean, default: true }, j: { type: json, default: [1] } }";
    await expect(run("\n  - { id: a, type: test/do.echo }", { head, inputs })).rejects.toMatchObject({
      code: "INPUT_INVALID",
      message,
    });
  });

  it("where a source cannot answer", async () => {
    const down: SecretSource = { id: "vault", lookup: async () => ({ status: "unavailable", reason: "HTTP 503" }) };
    await expect(run("\n  - { id: a, type: test/do.echo }", { sources: [down, source] })).rejects.toMatchObject({
      code: "SOURCE_FAILED",
    });
  });
});
