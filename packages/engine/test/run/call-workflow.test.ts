import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineAction, definePlugin, z } from "@autokestra/plugin-sdk";
import type { RunEvent, RunFinished } from "@autokestra/runs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  checkWorkflow,
  corePlugins,
  loadWorkflow,
  parseWorkflow,
  type RunOptions,
  runWorkflow,
} from "../../src/index.ts";
import { loadCalls, textsOf } from "../../src/run/called-workflows.ts";

const input = z.record(z.string(), z.unknown());
let seen: unknown[] = [];
const plugin = definePlugin({
  name: "test/do",
  actions: {
    echo: defineAction({
      input,
      run(given, { task, execution, log }) {
        seen.push(given);
        log.info(`${task.id} ${execution.workflow} ${JSON.stringify(given)}`);
        return given;
      },
    }),
    fail: defineAction({
      input,
      run() {
        throw new Error("no tok3n-value-1234");
      },
    }),
    forever: defineAction({
      input,
      run: async (_, { signal }) =>
        await new Promise<never>((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    }),
  },
});

let folder: string;
beforeEach(() => {
  seen = [];
  folder = mkdtempSync(join(tmpdir(), "autokestra-call-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): void {
  writeFileSync(join(folder, name), text);
}

/** A workflow with these keys and tasks. */
function workflow(id: string, tasks: string, head = ""): string {
  return `apiVersion: v1\nid: ${id}\n${head}\ntasks:\n${tasks}`;
}

const call = (file: string, more = "") =>
  `  - { id: child, type: core/workflow.call, ${more} inputs: { file: ${file} } }\n`;

const secrets: Readonly<Record<string, string>> = { TOKEN: "tok3n-value-1234", OTHER: "oth3r-value-5678" };
const sources: RunOptions["sources"] = [
  {
    id: "t",
    async lookup(name) {
      const value = secrets[name];
      return value === undefined
        ? { status: "notFound" }
        : { status: "found", secret: { type: "apiKey", fields: { value }, expiresAt: null } };
    },
  },
];

interface Ran {
  readonly finished: RunFinished;
  readonly out: string;
  readonly events: readonly RunEvent[];
}

async function run(options: Partial<RunOptions> = {}): Promise<Ran> {
  const events: RunEvent[] = [];
  const parsed = await loadWorkflow(join(folder, "main.yaml"));
  const finished = await runWorkflow(parsed, {
    sources,
    plugins: [...corePlugins, plugin],
    sink: (event) => void events.push(event),
    ...options,
  });
  return { finished, events, out: JSON.stringify(events) };
}

async function check(): Promise<string[]> {
  const { problems } = await checkWorkflow(join(folder, "main.yaml"), { sources, plugins: [...corePlugins, plugin] });
  return problems
    .filter(({ severity }) => severity === "error")
    .map(({ position, code, message }) => `${position?.line}:${position?.column} ${code} ${message}`);
}

describe("core/workflow.call", () => {
  it("runs a file beside the caller's, with inputs of any type, and gives its outputs", async () => {
    mkdirSync(join(folder, "parts"));
    write(
      "main.yaml",
      workflow(
        "main",
        `  - { id: a, type: test/do.echo, inputs: { list: [1, 2] } }
  - id: child
    type: core/workflow.call
    needs: [a]
    inputs: { file: ./parts/child.yaml, inputs: { list: "{{ tasks.a.output.list }}", name: "n-{{ execution.id }}" } }
  - { id: after, type: test/do.echo, needs: [child], inputs: { got: "{{ tasks.child.output.sum }}" } }
`,
      ),
    );
    write(
      "parts/child.yaml",
      workflow(
        "child",
        `  - { id: one, type: test/do.echo, inputs: { item: "{{ inputs.list.1 }}", flag: "{{ inputs.flag }}", name: "{{ inputs.name }}" } }\n${call("./inner.yaml", "needs: [one],")}`,
        `inputs: { list: { type: json }, name: { type: string }, flag: { type: boolean, default: true } }\noutputs: { sum: { item: "{{ tasks.one.output.item }}", deep: "{{ tasks.child.output.deep }}" } }`,
      ),
    );
    write(
      "parts/inner.yaml",
      workflow("inner", "  - { id: x, type: test/do.echo, forEach: [7] }\n", 'outputs: { deep: "{{ workflow.id }}" }'),
    );
    const { finished, events } = await run();
    expect(finished.tasks["after"]?.output).toEqual({ got: { item: 2, deep: "inner" } });
    expect(seen[1]).toEqual({ item: 2, flag: true, name: `n-${finished.execution}` });
    expect(Object.keys(finished.tasks)).toEqual(["a", "child", "after"]);
    const tasks = events.flatMap((event) => (event.event === "task.started" ? [event.task] : []));
    expect(tasks).toEqual(["a", "child", "child/one", "child/child", "child/child/x", "child/child/x[0]", "after"]);
    expect(await check()).toEqual([]);
  });

  it("R16: has the secrets that it declares itself and its caller may use, masked in everything", async () => {
    write("main.yaml", workflow("main", call("child.yaml"), "secrets: [TOKEN, OTHER]"));
    write(
      "child.yaml",
      workflow(
        "child",
        '  - { id: a, type: test/do.echo, inputs: { t: "{{ secrets.TOKEN }}" } }\n',
        'secrets: [TOKEN]\noutputs: { t: "{{ secrets.TOKEN }}", b: "{{ secrets.TOKEN | base64 | base64 }}" }',
      ),
    );
    const { finished, out } = await run();
    expect(seen).toEqual([{ t: "tok3n-value-1234" }]);
    expect(finished.tasks["child"]?.output).toEqual({ t: "***SECRET***", b: "***SECRET***" });
    expect(out).not.toContain("tok3n");
  });

  it.each([
    [
      "of its caller that it does not declare",
      "secrets: [OTHER]",
      "secrets: [TOKEN, OTHER]",
      "",
      "In child.yaml:5:48: Secret 'TOKEN' not declared in workflow",
    ],
    [
      "that its caller does not have",
      "secrets: [TOKEN]",
      "secrets: [OTHER]",
      "",
      "5:61 SECRET_NOT_DECLARED The called workflow declares secret 'TOKEN', which its caller may not use",
    ],
    [
      "that its caller has narrowed away",
      "secrets: [TOKEN]",
      "secrets: [TOKEN, OTHER]",
      "secrets: [OTHER],",
      "The called workflow declares secret 'TOKEN', which its caller may not use",
    ],
  ])("R16: gets no secret %s", async (_, child, main, narrow, expected) => {
    write("main.yaml", workflow("main", call("child.yaml", narrow), main));
    write(
      "child.yaml",
      workflow("child", '  - { id: a, type: test/do.echo, inputs: { t: "{{ secrets.TOKEN }}" } }\n', child),
    );
    await expect(run()).rejects.toThrow();
    expect((await check()).join("\n")).toContain(expected);
    expect(seen).toEqual([]);
  });

  it("masks its secret inputs and secret outputs", async () => {
    write(
      "main.yaml",
      workflow(
        "main",
        '  - { id: child, type: core/workflow.call, inputs: { file: child.yaml, inputs: { pw: "a-password-77" } } }\n  - { id: after, type: test/do.echo, needs: [child], inputs: { got: "{{ tasks.child.output.key }}" } }\n',
      ),
    );
    write(
      "child.yaml",
      workflow(
        "child",
        '  - { id: a, type: test/do.echo, secretOutputs: [key], inputs: { key: "key-of-{{ inputs.pw }}-x" } }\n',
        'inputs: { pw: { type: string, secret: true } }\noutputs: { key: "{{ tasks.a.output.key }}" }',
      ),
    );
    const { finished, out } = await run();
    expect(seen[1]).toEqual({ got: "key-of-a-password-77-x" });
    expect(finished.tasks["after"]?.output).toEqual({ got: "***SECRET***" });
    expect(out).not.toContain("a-password-77");
    expect(Object.keys(finished.masked)).toContain("tasks.child/a.output.key");
  });

  it("fails with its first failure, masked, after its own onFailure and finally", async () => {
    write("main.yaml", workflow("main", call("child.yaml"), "secrets: [TOKEN]"));
    write(
      "child.yaml",
      workflow(
        "child",
        "  - { id: bad, type: test/do.fail }\n",
        'onFailure: [{ id: f, type: test/do.echo, inputs: { e: "{{ run.error }}" } }]\nfinally: [{ id: l, type: test/do.echo, inputs: { s: "{{ run.status }}" } }]',
      ),
    );
    const { finished } = await run();
    expect(finished.tasks["child"]?.error).toEqual({
      name: "Error",
      code: "TASK_FAILED",
      message: "task 'bad' of the called workflow failed: no ***SECRET***",
    });
    expect(seen).toEqual([{ e: "no ***SECRET***" }, { s: "failed" }]);
  });

  it("can be tried again, called for each item, and left out by an if", async () => {
    write(
      "main.yaml",
      workflow(
        "main",
        '  - { id: child, type: core/workflow.call, forEach: [a, b, c], if: item != "b", retry: { max: 1, backoffSeconds: 0 }, continueOnError: true, inputs: { file: child.yaml, inputs: { name: "{{ item }}" } } }\n',
      ),
    );
    write(
      "child.yaml",
      workflow(
        "child",
        '  - { id: e, type: test/do.echo, inputs: { name: "{{ inputs.name }}" } }\n  - { id: bad, type: test/do.fail, needs: [e], if: inputs.name == "c" }\n',
        'inputs: { name: { type: string } }\noutputs: { is: "{{ inputs.name }}" }',
      ),
    );
    const { finished } = await run();
    expect(finished.tasks["child"]?.output).toEqual([{ is: "a" }, null, null]);
    expect(finished.tasks["child[2]"]).toMatchObject({ status: "failed" });
    expect(seen).toEqual([{ name: "a" }, { name: "c" }, { name: "c" }]);
  });

  it("is cancelled with its caller, and its finally runs before that of the caller", async () => {
    const cancel = new AbortController();
    write(
      "main.yaml",
      workflow("main", call("child.yaml"), "finally: [{ id: l, type: test/do.echo, inputs: { s: main } }]"),
    );
    write(
      "child.yaml",
      workflow(
        "child",
        "  - { id: a, type: test/do.echo }\n  - { id: b, type: test/do.forever, needs: [a] }\n",
        'finally: [{ id: l, type: test/do.echo, inputs: { s: "child {{ run.status }}" } }]',
      ),
    );
    const { finished } = await run({
      signal: cancel.signal,
      sink: (event) => event.event === "task.started" && event.task === "child/b" && setImmediate(() => cancel.abort()),
    });
    expect(finished).toMatchObject({
      status: "cancelled",
      cancelledBy: "user",
      tasks: { child: { status: "cancelled" } },
    });
    expect(seen.slice(1)).toEqual([{ s: "child cancelled" }, { s: "main" }]);
  });

  it.each([
    ["of the task", "timeoutSeconds: 0.1,", "", "timed out after 0.1 s"],
    ["of its own", "", "timeoutSeconds: 0.1\n", "the called workflow ran out of time"],
  ])("ends at the time limit %s", async (_, task, own, message) => {
    write("main.yaml", workflow("main", call("child.yaml", task)));
    write(
      "child.yaml",
      workflow(
        "child",
        "  - { id: b, type: test/do.forever }\n",
        `${own}finally: [{ id: l, type: test/do.echo, inputs: { s: "{{ run.status }}" } }]`,
      ),
    );
    const { finished } = await run();
    expect(finished.tasks["child"]?.error).toMatchObject({ code: "TIMED_OUT", message });
    expect(finished.status).toBe("failed");
    expect(seen).toEqual([{ s: "cancelled" }]);
  });

  it.each([
    ["a file that is not there", call("./gone.yaml"), "", "WORKFLOW_NOT_FOUND"],
    ["a pipe, which is not waited for", call("./pipe.yaml"), "", "pipe.yaml is a pipe or a device"],
    ["a device", call("./device.yaml"), "", "device.yaml is a pipe or a device"],
    [
      "a reference as the file",
      '  - { id: c, type: core/workflow.call, inputs: { file: "./{{ inputs.f }}.yaml" } }\n',
      "",
      "6:56 WORKFLOW_INVALID The file of a called workflow must be written out, without references",
    ],
    ["a file that is broken", call("bad.yaml"), "", "In bad.yaml:1:25: Unknown key 'taks'"],
    ["a workflow that is disabled", call("off.yaml"), "", "The workflow off.yaml is disabled"],
    ["an action that there is not", call("action.yaml"), "", "There is no action 'core/consol.log'"],
    [
      "an input that it does not have",
      "  - { id: c, type: core/workflow.call, inputs: { file: in.yaml, inputs: { n: 1, m: 2 } } }\n",
      "",
      "6:84 INPUT_INVALID The called workflow has no input 'm'",
    ],
    ["an input that it needs", call("in.yaml"), "", "The called workflow needs the input 'n'"],
    [
      "an input of another type",
      '  - { id: c, type: core/workflow.call, inputs: { file: in.yaml, inputs: { n: "1" } } }\n',
      "",
      "Input 'n' of the called workflow must be a number",
    ],
    [
      "an unknown key",
      '  - { id: c, type: core/workflow.call, inputs: { file: in.yaml, input: { n: "1" } } }\n',
      "",
      "unknown key 'input'",
    ],
    ["no file", "  - { id: c, type: core/workflow.call }\n", "", "file: expected string"],
    ["itself", call("main.yaml"), "", "Workflows call each other in a cycle: main.yaml -> main.yaml"],
    ["itself by way of a link", call("link.yaml"), "", "in a cycle: main.yaml -> main.yaml"],
    [
      "a circle",
      call("one.yaml"),
      "",
      "In one.yaml:5:61: In two.yaml:5:61: Workflows call each other in a cycle: one.yaml -> two.yaml -> one.yaml",
    ],
    ["eleven levels", call("deep-0.yaml"), "", "Workflows call each other more than 10 levels deep"],
  ])("is checked before anything runs: %s", async (_, tasks, head, expected) => {
    write("main.yaml", workflow("main", tasks, `inputs: { f: { type: string, default: x } }\n${head}`));
    write("bad.yaml", "{ apiVersion: v1, id: bad, taks: [] }".replace("id: bad, ", ""));
    write("off.yaml", workflow("off", "  - { id: a, type: test/do.echo }\n", "enabled: false"));
    write("action.yaml", workflow("x", "  - { id: a, type: core/consol.log }\n"));
    write("in.yaml", workflow("in", "  - { id: a, type: test/do.echo }\n", "inputs: { n: { type: number } }"));
    write("one.yaml", workflow("one", call("two.yaml")));
    write("two.yaml", workflow("two", call("one.yaml")));
    symlinkSync(join(folder, "main.yaml"), join(folder, "link.yaml"));
    symlinkSync("/dev/zero", join(folder, "device.yaml"));
    execFileSync("mkfifo", [join(folder, "pipe.yaml")]);
    for (let level = 0; level < 11; level++) {
      write(
        `deep-${level}.yaml`,
        workflow("deep", level === 10 ? "  - { id: a, type: test/do.echo }\n" : call(`deep-${level + 1}.yaml`)),
      );
    }
    const found = (await check()).join("\n");
    expect(found).toContain(expected);
    await run().catch((error: unknown) => expect(error).toBeInstanceOf(Error));
    expect(seen).toEqual([]);
  });

  it("goes on a hundred times at once; one that still waits is cancelled without having started", async () => {
    const list = JSON.stringify(Array.from({ length: 101 }, (_, at) => at));
    const tasks = `  - { id: child, type: core/workflow.call, forEach: ${list}, concurrency: 1000, inputs: { file: child.yaml } }\n`;
    write("main.yaml", workflow("main", tasks));
    write("child.yaml", workflow("child", "  - { id: wait, type: test/do.forever }\n"));
    const cancel = new AbortController();
    const started = new Set<string | undefined>();
    const sink: RunOptions["sink"] = (event) => {
      if (event.event === "task.started") started.add(event.task);
      // Those of all calls that go on, beside the list.
      if (started.size === 201) cancel.abort();
    };
    const { finished } = await run({ signal: cancel.signal, sink });
    expect(finished.status).toBe("cancelled");
    expect(started).not.toContain("child[100]");
    expect(finished.tasks["child[100]"]).toEqual({ status: "cancelled" });
  });

  it("of ten levels runs", async () => {
    write("main.yaml", workflow("main", call("deep-1.yaml")));
    for (let level = 1; level <= 10; level++) {
      write(
        `deep-${level}.yaml`,
        workflow("deep", level === 10 ? "  - { id: a, type: test/do.echo }\n" : call(`deep-${level + 1}.yaml`)),
      );
    }
    expect((await run()).finished.status).toBe("success");
  });

  it("refuses inputs that have the wrong type when it is called", async () => {
    write(
      "main.yaml",
      workflow(
        "main",
        '  - { id: child, type: core/workflow.call, inputs: { file: in.yaml, inputs: { n: "{{ inputs.f }}" } } }\n',
        "inputs: { f: { type: string, default: x } }",
      ),
    );
    write("in.yaml", workflow("in", "  - { id: a, type: test/do.echo }\n", "inputs: { n: { type: number } }"));
    const { finished } = await run();
    expect(finished.tasks["child"]?.error).toMatchObject({
      code: "INPUT_INVALID",
      message: "Input 'n' must be a number",
    });
  });

  it("of a workflow that is not in a file is refused", async () => {
    const parsed = parseWorkflow(workflow("main", call("/etc/passwd")), join(folder, "main.yaml"));
    await expect(runWorkflow(parsed, { sources, sink: () => undefined })).rejects.toThrow(
      "Only a workflow that is read from a file can call another one",
    );
  });

  it("calls a file in many places, which is read once, in a time that does not explode", async () => {
    const many = Array.from(
      { length: 30 },
      (_, at) => `  - { id: c${at}, type: core/workflow.call, if: "1 == 2", inputs: { file: NEXT } }\n`,
    ).join("");
    write("main.yaml", workflow("main", many.replaceAll("NEXT", "w-1.yaml")));
    for (let level = 1; level <= 9; level++)
      write(`w-${level}.yaml`, workflow("w", many.replaceAll("NEXT", `w-${level + 1}.yaml`)));
    write("w-10.yaml", workflow("w", "  - { id: a, type: test/do.echo }\n"));
    expect(await check()).toEqual([]);
    expect((await run()).finished.status).toBe("success");
    const parsed = await loadWorkflow(join(folder, "main.yaml"));
    // What is kept of a run that can be resumed.
    expect(Object.keys(textsOf(parsed, (await loadCalls(parsed)).calls))).toHaveLength(11);
  });
});
