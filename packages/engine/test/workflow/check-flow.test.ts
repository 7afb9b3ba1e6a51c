import { describe, expect, it } from "vitest";
import { corePlugins, parseWorkflow, runWorkflow, WorkflowError } from "../../src/index.ts";

const HEAD =
  "apiVersion: v1\nid: w\nsecrets: [TOKEN, DB]\ninputs: { env: { type: string, default: x }, pw: { type: string, secret: true } }\n";
const TASK = "type: core/console.log, inputs: { message: x }";

/** The problems of a workflow, each as `LINE:COLUMN CODE MESSAGE / HINT`. */
async function problems(text: string): Promise<string[]> {
  try {
    const sources = [{ id: "t", lookup: async () => ({ status: "notFound" }) as const }];
    await runWorkflow(parseWorkflow(text, "w.yaml"), {
      sources,
      plugins: corePlugins,
      sink: () => undefined,
      inputs: { pw: "x" },
    });
  } catch (error) {
    if (!(error instanceof WorkflowError)) throw error;
    return error.problems.map(
      ({ position, code, message, hint }) =>
        `${position?.line}:${position?.column} ${code} ${message}${hint ? ` / ${hint}` : ""}`,
    );
  }
  throw new Error("the workflow was accepted");
}

describe("what is wrong with a flow is found before it runs, with its place", () => {
  it.each([
    [
      "a secret in a condition",
      `tasks:\n  - { id: a, ${TASK}, if: secrets.TOKEN == "x" }`,
      "6:66 REFERENCE_INVALID 'secrets.TOKEN' is secret, and a condition would show its value",
    ],
    [
      "a secret input in one",
      `tasks:\n  - { id: a, ${TASK}, if: inputs.env == inputs.pw }`,
      "6:80 REFERENCE_INVALID 'inputs.pw' is secret, and a condition would show its value",
    ],
    [
      "a secret output in one",
      `tasks:\n  - { id: a, ${TASK}, secretOutputs: [body.key, list.*.x] }\n  - { id: b, ${TASK}, needs: [a], if: tasks.a.output.body.key == "x" }`,
      "7:78 REFERENCE_INVALID 'tasks.a.output.body.key' is secret",
    ],
    [
      "what is below a secret output",
      `tasks:\n  - { id: a, ${TASK}, secretOutputs: [list.*.x] }\n  - { id: b, ${TASK}, needs: [a], if: 1 < 2 and tasks.a.output.list.0.x.y == "x" }`,
      "7:88 REFERENCE_INVALID 'tasks.a.output.list.0.x.y' is secret",
    ],
    [
      "what is secret by default",
      `tasks:\n  - { id: a, type: core/http.get, inputs: { url: "https://a.example" } }\n  - { id: b, ${TASK}, needs: [a], if: tasks.a.output.body.data.access_token == "x" }`,
      "'tasks.a.output.body.data.access_token' is secret",
    ],
    [
      "a cookie",
      `tasks:\n  - { id: a, type: core/http.get, inputs: { url: "https://a.example" } }\n  - { id: b, ${TASK}, needs: [a], if: tasks.a.output.headers.set-cookie == "x" }`,
      "'tasks.a.output.headers.set-cookie' is secret",
    ],
    [
      "an item of a secret list",
      `tasks:\n  - { id: a, ${TASK}, secretOutputs: [keys] }\n  - { id: b, ${TASK}, needs: [a], forEach: "{{ tasks.a.output.keys }}", if: item == "x" }`,
      "'item' is secret",
    ],
    [
      "an item of a list that is secret in parts",
      `tasks:\n  - { id: a, ${TASK}, secretOutputs: ["keys.*.value"] }\n  - { id: b, ${TASK}, needs: [a], forEach: "{{ tasks.a.output.keys }}", if: item.name == "x" or item.value == "x" }`,
      "7:136 REFERENCE_INVALID 'item.value' is secret",
    ],
    [
      "an item of a list with secrets",
      `tasks:\n  - { id: a, ${TASK}, forEach: ["{{ secrets.TOKEN }}"], if: item == "x" }`,
      "'item' is secret",
    ],
    [
      "the secret output of an item",
      `tasks:\n  - { id: a, ${TASK}, forEach: [1], secretOutputs: [key] }\n  - { id: b, ${TASK}, needs: [a], if: tasks.a.output.0.key == "x" }`,
      "'tasks.a.output.0.key' is secret",
    ],
    [
      "a malformed condition",
      `tasks:\n  - { id: a, ${TASK}, if: inputs.env = "x" }`,
      "6:77 REFERENCE_INVALID '=' has no meaning in a condition",
    ],
    [
      "a condition in braces",
      `tasks:\n  - { id: a, ${TASK}, if: "{{ inputs.env }}" }`,
      "'{' has no meaning in a condition",
    ],
    [
      "a condition on a task that may not have run",
      `tasks:\n  - { id: a, ${TASK} }\n  - { id: b, ${TASK}, if: tasks.a.status == "success" }`,
      "7:66 REFERENCE_INVALID 'tasks.a.status' may not have run yet when 'b' starts / Add a to its `needs`.",
    ],
    [
      "an input in a condition that is not declared",
      `tasks:\n  - { id: a, ${TASK}, if: inputs.n == 1 }`,
      "'inputs.n' is not an input",
    ],
    [
      "an item without a forEach",
      `tasks:\n  - { id: a, type: core/console.log, inputs: { message: "{{ item.x }} {{ index }}" } }`,
      "6:58 REFERENCE_INVALID 'item.x' stands only in the `inputs` and the `if` of a task with `forEach`",
    ],
    ["an item in a forEach", `tasks:\n  - { id: a, ${TASK}, forEach: "{{ item.x }}" }`, "'item.x' stands only in"],
    [
      "run outside of the end",
      `tasks:\n  - { id: a, ${TASK}, if: run.status == "failed" }`,
      "'run.status' is known only in `onFailure` and `finally`",
    ],
    [
      "run in outputs",
      `tasks:\n  - { id: a, ${TASK} }\noutputs: { x: "{{ run.error }}" }`,
      "7:16 REFERENCE_INVALID 'run.error' is known only",
    ],
    [
      "a forEach in a longer text",
      `tasks:\n  - { id: a, ${TASK}, forEach: "x {{ inputs.env }}" }`,
      "6:71 WORKFLOW_INVALID The `forEach` of task 'a' must be a list, or one reference and nothing else",
    ],
    ["a forEach that is text", `tasks:\n  - { id: a, ${TASK}, forEach: some }`, "must be a list, or one reference"],
    [
      "a forEach that is a map",
      `tasks:\n  - { id: a, ${TASK}, forEach: { a: 1 } }`,
      "'tasks.0.forEach' must be a list, or a reference to one",
    ],
    [
      "too many items",
      `tasks:\n  - { id: a, ${TASK}, forEach: [${"1,".repeat(10_001)}] }`,
      "'tasks.0.forEach' must be at most 10000",
    ],
    ["concurrency of one", `tasks:\n  - { id: a, ${TASK}, concurrency: 2 }`, "has `concurrency` without `forEach`"],
    [
      "needs in onFailure",
      `tasks:\n  - { id: a, ${TASK} }\nonFailure: [{ id: b, ${TASK}, needs: [a] }]`,
      "7:77 WORKFLOW_INVALID Unknown key 'needs' in 'onFailure.0'",
    ],
    [
      "continueOnError in finally",
      `tasks:\n  - { id: a, ${TASK} }\nfinally: [{ id: b, ${TASK}, continueOnError: true }]`,
      "Unknown key 'continueOnError'",
    ],
    [
      "an id of two lists",
      `tasks:\n  - { id: a, ${TASK} }\nfinally: [{ id: a, ${TASK} }]`,
      "7:11 WORKFLOW_INVALID Task id 'a' is used twice",
    ],
    [
      "a handler on a later one",
      `tasks:\n  - { id: a, ${TASK} }\nfinally: [{ id: b, ${TASK}, if: tasks.c.status == "x" }, { id: c, ${TASK} }]`,
      "'tasks.c.status' has not run yet when 'b' starts",
    ],
    [
      "onFailure on finally",
      `tasks:\n  - { id: a, ${TASK} }\nonFailure: [{ id: b, ${TASK}, if: tasks.c.status == "x" }]\nfinally: [{ id: c, ${TASK} }]`,
      "'tasks.c.status' has not run yet",
    ],
    [
      "a task on finally",
      `tasks:\n  - { id: a, ${TASK}, if: tasks.c.status == "x" }\nfinally: [{ id: c, ${TASK} }]`,
      "'tasks.c.status' may not have run yet when 'a' starts",
    ],
    [
      "outputs of finally",
      `tasks:\n  - { id: a, ${TASK} }\nfinally: [{ id: c, ${TASK} }]\noutputs: { x: "{{ tasks.c.output }}" }`,
      "'tasks.c.output' is not known before the outputs are",
    ],
    [
      "a reference in onFailure",
      `tasks:\n  - { id: a, ${TASK} }\nonFailure: [{ id: b, type: core/console.log, inputs: { message: "{{ secrets.OTHER }}" } }]`,
      "7:66 SECRET_NOT_DECLARED Secret 'OTHER' not declared in workflow",
    ],
    [
      "an action in finally",
      `tasks:\n  - { id: a, ${TASK} }\nfinally: [{ id: b, type: core/consol.log }]`,
      "7:26 WORKFLOW_INVALID There is no action 'core/consol.log' / Did you mean 'core/console.log'?",
    ],
    [
      "a secret that the task leaves out",
      `tasks:\n  - { id: a, type: core/console.log, secrets: [DB], inputs: { message: "{{ secrets.TOKEN }}" } }`,
      "6:73 SECRET_NOT_DECLARED Secret 'TOKEN' is not among the `secrets` of task 'a' / Add TOKEN to the `secrets` of the task.",
    ],
    [
      "a secret of a task that the workflow does not have",
      `tasks:\n  - { id: a, ${TASK}, secrets: [OTHER] }`,
      "6:72 SECRET_NOT_DECLARED Secret 'OTHER' not declared in workflow",
    ],
    [
      "a secret of a webhook",
      `trigger: { type: webhook, secret: OTHER, signature: bearer }\ntasks:\n  - { id: a, ${TASK} }`,
      "5:35 SECRET_NOT_DECLARED Secret 'OTHER' not declared in workflow",
    ],
    [
      "a trigger of another type",
      `trigger: { type: webhok }\ntasks:\n  - { id: a, ${TASK} }`,
      "5:18 WORKFLOW_INVALID 'trigger.type' must be cron or webhook",
    ],
    [
      "a signature of another kind",
      `trigger: { type: webhook, secret: DB, signature: md5 }\ntasks:\n  - { id: a, ${TASK} }`,
      "'trigger.signature' must be hmac-sha256 or bearer",
    ],
    [
      "a group with a secret",
      `concurrency: { group: "{{ inputs.pw }}", busy: queue }\ntasks:\n  - { id: a, ${TASK} }`,
      "5:24 REFERENCE_INVALID 'inputs.pw' is secret, and the name of a group is shown",
    ],
    [
      "a group with an output",
      `concurrency: { group: "{{ tasks.a.output }}", busy: queue }\ntasks:\n  - { id: a, ${TASK} }`,
      "is not known before a run",
    ],
    [
      "a busy that is none of three",
      `concurrency: { group: x, busy: wait }\ntasks:\n  - { id: a, ${TASK} }`,
      "'concurrency.busy' must be queue or skip or cancel",
    ],
    [
      "a retry with an unknown key",
      `tasks:\n  - { id: a, ${TASK}, retry: { maks: 1, max: 1 } }`,
      "Unknown key 'maks' in 'tasks.0.retry' / Known here: max, backoffSeconds, on.",
    ],
    [
      "a retry that is another word",
      `tasks:\n  - { id: a, ${TASK}, retry: always }`,
      "6:69 WORKFLOW_INVALID 'tasks.0.retry' must be a map, or never",
    ],
    [
      "an output name",
      `tasks:\n  - { id: a, ${TASK} }\noutputs: { "a b": 1 }`,
      "has a name with characters other than",
    ],
    [
      "?? on a secret",
      `tasks:\n  - { id: a, type: core/console.log, inputs: { message: '{{ secrets.TOKEN ?? "x" }}' } }`,
      "no ?? after secrets: only inputs, tasks and item can be missing",
    ],
  ])("%s", async (_, text, expected) => {
    expect((await problems(HEAD + text)).join("\n")).toContain(expected);
  });

  it("every problem at once", async () => {
    const text = `${HEAD}tasks:\n  - { id: a, ${TASK}, if: secrets.TOKEN, forEach: x, retry: { maks: 1 } }\nfinally: [{ id: a, ${TASK}, secrets: [NONE] }]`;
    expect(await problems(text)).toHaveLength(6);
  });
});

describe("a flow that is right", () => {
  it("keeps what only serve acts on", () => {
    const { workflow } = parseWorkflow(
      `${HEAD}trigger: { type: webhook, secret: TOKEN, signature: hmac-sha256 }
concurrency: { group: "{{ workflow.id }}-{{ inputs.env }}", busy: cancel }
tasks: [{ id: a, type: core/console.log, retry: never, inputs: { message: "{{ inputs.body.action }} {{ inputs.headers.x-y }}" } }]
onFailure: [{ id: b, type: core/console.log, forEach: [1], concurrency: 3 }]`,
      "w.yaml",
    );
    expect(workflow).toMatchObject({
      trigger: { type: "webhook", secret: "TOKEN", signature: "hmac-sha256" },
      concurrency: { group: "{{ workflow.id }}-{{ inputs.env }}", busy: "cancel" },
      tasks: [{ retry: "never" }],
      onFailure: [{ id: "b", needs: [], concurrency: 3 }],
    });
  });

  it.each([
    [
      "a status of what is not secret",
      `tasks:\n  - { id: a, ${TASK}, secretOutputs: [key] }\n  - { id: b, ${TASK}, needs: [a], if: tasks.a.output.other ?? true }`,
    ],
    [
      "an item of a plain list",
      `tasks:\n  - { id: a, ${TASK}, forEach: [1, "{{ inputs.env }}"], if: item == 1 or index > 0 }`,
    ],
    [
      "onFailure in finally",
      `tasks:\n  - { id: a, ${TASK} }\nonFailure: [{ id: b, ${TASK} }]\nfinally: [{ id: c, ${TASK}, if: tasks.b.status == "x" }]`,
    ],
  ])("%s", (_, text) => {
    expect(() => parseWorkflow(HEAD + text, "w.yaml")).not.toThrow();
  });
});

describe("inputs", () => {
  const workflow = (input: string) =>
    `apiVersion: v1\nid: w\ninputs: { x: ${input} }\ntasks: [{ id: a, type: core/console.log, inputs: { message: "{{ inputs.x }}" } }]`;
  const run = async (input: string, given: string) =>
    await runWorkflow(parseWorkflow(workflow(input), "w.yaml"), {
      sources: [],
      sink: () => undefined,
      inputs: { x: given },
    });

  it.each([
    ["{ type: string, enum: [staging, production] }", "prod", "Input 'x' must be one of staging, production"],
    ["{ type: number, enum: [1, 2] }", "3", "Input 'x' must be one of 1, 2"],
    ['{ type: string, pattern: "^v[0-9]+$" }', "7", "Input 'x' must match ^v[0-9]+$"],
    ['{ type: string, pattern: "^(a+)+$" }', `${"a".repeat(60)}!`, "Input 'x' takes too long to match ^(a+)+$"],
    // The text of this pattern is data, and not code.
    [`{ type: string, pattern: "^[']+$" }`, "7", "Input 'x' must match ^[']+$"],
    ["{ type: number, min: 1, max: 5 }", "0", "Input 'x' must be at least 1"],
    ["{ type: number, min: 1, max: 5 }", "6", "Input 'x' must be at most 5"],
    ["{ type: string, min: 2 }", "é", "Input 'x' must be at least 2 characters"],
    ["{ type: string, max: 2 }", "abc", "Input 'x' must be at most 2 characters"],
  ])("%s refuses %j", async (input, given, message) => {
    await expect(run(input, given)).rejects.toThrow(message);
  });

  it.each([
    ["{ type: string, enum: [staging, production], description: where to }", "production"],
    ["{ type: number, min: 1, max: 5 }", "5"],
    ['{ type: string, pattern: "v[0-9]", max: 3 }', "xv1"],
    ["{ type: json, enum: [[1]] }", "[1]"],
  ])("%s takes %j", async (input, given) => {
    expect((await run(input, given)).status).toBe("success");
  });

  it.each([
    ["{ type: string, enum: [a], default: b }", "The default of input 'x' must be one of a"],
    ['{ type: string, pattern: "(" }', "'inputs.x.pattern' must be a regular expression"],
    ["{ type: number, min: 3, default: 1 }", "The default of input 'x' must be at least 3"],
    ["{ type: number, enum: [] }", "needs at least one value"],
  ])("%s is wrong", (input, message) => {
    expect(() => parseWorkflow(workflow(input), "w.yaml")).toThrow(message);
  });
});
