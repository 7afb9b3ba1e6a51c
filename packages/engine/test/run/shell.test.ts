import { describe, expect, it } from "vitest";
import { WorkflowError } from "../../src/index.ts";
import { logged, tryRun } from "./try-run.ts";

const TOKEN = "s3cret-t0ken-value";
const LINES = "-----BEGIN\nline-one-of-it\nline-two-of-it\nEND-----";
const secrets = {
  TOKEN: { type: "apiKey", fields: { value: TOKEN } },
  LINES: { type: "apiKey", fields: { value: LINES } },
} as const;

const script = (text: string, more = "") =>
  `  - id: sh\n    type: core/shell.run\n    ${more}\n    inputs:\n      env: { TOKEN: "{{ secrets.TOKEN }}", LINES: "{{ secrets.LINES }}" }\n      script: |\n        ${text.replaceAll("\n", "\n        ")}\n`;

async function problems(inputs: string, head = ""): Promise<string[]> {
  const tasks = `  - { id: a, type: core/console.log, secretOutputs: ["x"], inputs: { message: x } }\n  - { id: sh, type: core/shell.run, needs: [a], inputs: ${inputs} }\n`;
  try {
    await tryRun(tasks, { secrets, head, inputs: { pw: "a-password-1" } });
    return [];
  } catch (error) {
    if (error instanceof WorkflowError)
      return error.problems.map(({ position, message }) => `${position?.column} ${message}`);
    throw error;
  }
}

describe("core/shell.run in a workflow", () => {
  it("gets secrets by its environment and standard input, and shows none of them", async () => {
    const outcome = await tryRun(
      `${script('echo "out $TOKEN"; echo "err $TOKEN" >&2; echo "$LINES"; echo -n "$TOKEN" | base64')}  - { id: in, type: core/shell.run, needs: [sh], inputs: { command: cat, stdin: "{{ tasks.sh.output.stdout }}" } }\n`,
      { secrets },
    );
    expect(outcome.finished.status).toBe("success");
    expect(outcome.finished.tasks["sh"]?.output).toMatchObject({
      stdout: expect.stringMatching(/^out \*\*\*SECRET\*\*\*\n/),
      stderr: "err ***SECRET***\n",
    });
    expect(outcome.finished.tasks["in"]?.output).toMatchObject({
      stdout: expect.stringMatching(/^out \*\*\*SECRET\*\*\*\n/),
    });
    for (const part of [TOKEN, "line-one", "line-two", Buffer.from(TOKEN).toString("base64")])
      expect(outcome.out).not.toContain(part);
    expect(logged(outcome)).toEqual(expect.arrayContaining(["out ***SECRET***", "err ***SECRET***"]));
  });

  it("masks a value that comes in pieces, as it comes", async () => {
    const outcome = await tryRun(
      script('printf "<%.5s" "$TOKEN"; sleep 0.2; echo "$(tail -c +6 <<< "$TOKEN")>"; echo plain'),
      {
        secrets,
      },
    );
    expect(logged(outcome)).toEqual(["<***SECRET***>", "plain"]);
  });

  it("logs lines with their stream and level, and an incomplete line at the end", async () => {
    const outcome = await tryRun(script("echo one; echo two >&2; echo -n three"), { secrets });
    const lines = outcome.events.flatMap((event) =>
      event.event === "task.log" ? [[event.level, event.message, event.data]] : [],
    );
    expect(lines).toEqual(
      expect.arrayContaining([
        ["info", "one", { stream: "stdout" }],
        ["warn", "two", { stream: "stderr" }],
        ["info", "three", { stream: "stdout" }],
      ]),
    );
    const finished = outcome.events.findIndex((event) => event.event === "task.finished");
    expect(outcome.events.slice(finished).filter(({ event }) => event === "task.log")).toEqual([]);
  });

  it("fails with the end of standard error, masked", async () => {
    const outcome = await tryRun(script('echo "cannot log in with $TOKEN" >&2; echo -n "tail $TOKEN" >&2; exit 7'), {
      secrets,
    });
    expect(outcome.finished.tasks["sh"]?.error).toEqual({
      name: "TaskError",
      code: "EXIT_CODE",
      message: "exit code 7; the end of its standard error:\ncannot log in with ***SECRET***\ntail ***SECRET***",
    });
    expect(logged(outcome)).toContain("tail ***SECRET***");
  });

  it("with secret outputs shows nothing before its output is known", async () => {
    const outcome = await tryRun(script("echo fresh-session-key-1234", "secretOutputs: [stdout]"), { secrets });
    expect(outcome.out).not.toContain("fresh-session-key");
    expect(logged(outcome)).toEqual(["***SECRET***"]);
    const failed = await tryRun(
      script("echo fresh-session-key-1234; echo other-key-5678 >&2; exit 1", "secretOutputs: [stdout]"),
      { secrets },
    );
    expect(failed.out).not.toMatch(/fresh-session|other-key/);
  });

  it("is ended at its time limit, before finally starts", async () => {
    const outcome = await tryRun(script("trap 'echo ended; exit 1' TERM\nsleep 1000 & wait", "timeoutSeconds: 2"), {
      secrets,
      head: "finally: [{ id: last, type: core/console.log, inputs: { message: last } }]",
    });
    expect(outcome.finished.tasks["sh"]?.error).toMatchObject({ code: "TIMED_OUT" });
    expect(logged(outcome)).toEqual(["ended", "last"]);
  });

  it("is ended when the run is cancelled", async () => {
    const cancel = new AbortController();
    const running = tryRun(script("echo ready; sleep 1000"), {
      secrets,
      signal: cancel.signal,
      sink: (event) => event.event === "task.log" && cancel.abort(),
    });
    expect((await running).finished).toMatchObject({ status: "cancelled", tasks: { sh: { status: "cancelled" } } });
  });

  it.each([
    [
      "{ command: echo, args: ['{{ secrets.TOKEN }}'] }",
      "'secrets.TOKEN' is secret, and others on the machine can see 'args'",
    ],
    [
      "{ command: '{{ secrets.TOKEN | base64 }}' }",
      "'secrets.TOKEN' is secret, and others on the machine can see 'command'",
    ],
    ["{ command: echo, args: ['x={{ inputs.pw }}'] }", "'inputs.pw' is secret"],
    ["{ command: echo, args: ['{{ tasks.a.output.x }}'] }", "'tasks.a.output.x' is secret"],
    ["{ script: 'echo {{ inputs.word }}' }", "'script' must be literal, without references"],
    ["{ script: x, shell: ['{{ inputs.word }}'] }", "'shell' must be literal, without references"],
  ])("refuses %s before anything runs", async (inputs, message) => {
    const head = "inputs: { word: { type: string, default: w }, pw: { type: string, secret: true } }";
    expect((await problems(inputs, head)).join("\n")).toContain(message);
  });

  it("refuses a secret in an argument that only the run knows", async () => {
    const tasks = (args: string) =>
      `  - { id: sh, type: core/shell.run, forEach: ["{{ secrets.TOKEN }}x", plain], continueOnError: true, inputs: { command: echo, args: [${args}] } }\n`;
    await expect(tryRun(tasks('"{{ item }}"'), { secrets })).rejects.toThrow("'item' is secret");
    const outcome = await tryRun(
      `  - { id: a, type: core/shell.run, inputs: { command: cat, stdin: "is {{ secrets.TOKEN }}" } }\n  - { id: sh, type: core/shell.run, needs: [a], inputs: { command: echo, args: ["{{ tasks.a.output.stdout }}"] } }\n`,
      { secrets },
    );
    expect(outcome.finished.tasks["sh"]?.error).toEqual({
      name: "Error",
      code: "SECRET_SHOWN",
      message: "'args' of core/shell.run would show the secret TOKEN",
    });
  });
});
