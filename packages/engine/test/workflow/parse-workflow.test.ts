import { describe, expect, it } from "vitest";
import { parseWorkflow, WorkflowError } from "../../src/index.ts";

/** A workflow of one task with these inputs, in flow style. */
function withInputs(inputs: string, secrets = "[TOKEN]"): string {
  return `apiVersion: v1\nid: w\nsecrets: ${secrets}\ntasks:\n  - id: a\n    type: core/console.log\n    inputs: ${inputs}\n`;
}

function failure(source: string): WorkflowError {
  try {
    parseWorkflow(source, "w.yaml");
  } catch (error) {
    if (error instanceof WorkflowError) return error;
    throw error;
  }
  throw new Error("the workflow was accepted");
}

describe("parseWorkflow", () => {
  it("reads every key, and fills in what is left out", () => {
    const { workflow } = parseWorkflow(
      `apiVersion: v1
id: deploy
enabled: false
secrets: [GITHUB_TOKEN, DB]
inputs: { environment: { type: string, default: staging }, count: { type: number } }
trigger: { type: cron, cron: "0 * * * *" }
tasks:
  - id: fetch
    type: core/http.request
    inputs: { url: "https://a.example", headers: { Authorization: "Bearer {{ secrets.GITHUB_TOKEN }}" } }
    retry: { max: 3 }
    timeoutSeconds: 30
  - { id: say, type: core/console.log, needs: [fetch], inputs: { message: "{{ tasks.fetch.output.status }}" } }
`,
      "w.yaml",
    );
    expect(workflow).toEqual({
      apiVersion: "v1",
      id: "deploy",
      enabled: false,
      secrets: ["GITHUB_TOKEN", "DB"],
      inputs: { environment: { type: "string", default: "staging" }, count: { type: "number" } },
      trigger: { type: "cron", cron: "0 * * * *" },
      tasks: [
        {
          id: "fetch",
          type: "core/http.request",
          needs: [],
          inputs: { url: "https://a.example", headers: { Authorization: "Bearer {{ secrets.GITHUB_TOKEN }}" } },
          retry: { max: 3, backoffSeconds: 1 },
          timeoutSeconds: 30,
        },
        {
          id: "say",
          type: "core/console.log",
          needs: ["fetch"],
          inputs: { message: "{{ tasks.fetch.output.status }}" },
        },
      ],
    });
    const defaults = parseWorkflow(
      "apiVersion: v1\nid: w\ntasks: [{ id: a, type: core/console.log }]",
      "w.yaml",
    ).workflow;
    expect(defaults).toMatchObject({ enabled: true, secrets: [], inputs: {}, tasks: [{ needs: [], inputs: {} }] });
  });

  it("reads JSON too, and plain aliases", () => {
    const json = { apiVersion: "v1", id: "w", tasks: [{ id: "a", type: "core/console.log" }] };
    expect(parseWorkflow(JSON.stringify(json), "w.json").workflow.id).toBe("w");
    const alias = withInputs('{ a: &x { b: "{{ secrets.TOKEN }}" }, c: *x }');
    expect(parseWorkflow(alias, "w.yaml").references).toHaveLength(2);
  });

  it.each([
    [
      "an unknown key",
      "apiVersion: v1\nid: w\ntask: []\ntasks: []",
      "Unknown key 'task'",
      "Did you mean 'tasks'?",
      "3:7",
    ],
    [
      "an unknown key of a task",
      withInputs("{}").replace("inputs", "input"),
      "Unknown key 'input' in 'tasks.0'",
      "Did you mean 'inputs'?",
      "7:12",
    ],
    ["secrets as a word", withInputs("{}", "TOKEN"), "'secrets' must be a list", undefined, "3:10"],
    ["no id", "apiVersion: v1\ntasks: [{ id: a, type: core/console.log }]", "'id' is missing", undefined, "1:1"],
    [
      "another version",
      "apiVersion: v2\nid: w\ntasks: [{ id: a, type: core/console.log }]",
      "'apiVersion' must be v1",
      undefined,
      "1:13",
    ],
    ["no tasks", "apiVersion: v1\nid: w\ntasks: []", "'tasks' needs at least one task", undefined, "3:8"],
    [
      "a bad task type",
      withInputs("{}").replace("core/console.log", "console"),
      "'tasks.0.type' must be namespace/plugin.action",
      undefined,
      "6:11",
    ],
    [
      "a negative timeout",
      `${withInputs("{}")}    timeoutSeconds: -1\n`,
      "'tasks.0.timeoutSeconds' must be more than 0",
      undefined,
      "8:21",
    ],
    [
      "a negative number of attempts",
      `${withInputs("{}")}    retry: { max: -1 }\n`,
      "'tasks.0.retry.max' must be at least 0",
      undefined,
      "8:19",
    ],
    [
      "a bad id",
      withInputs("{}").replace("id: w", "id: w w"),
      "'id' must consist of letters, digits, underscores and hyphens",
      undefined,
      "2:5",
    ],
    ["a list", "- a", "The workflow must be a map", undefined, "1:1"],
    ["nothing", "", "The workflow must be a map", undefined, undefined],
  ])("refuses %s", (_, source, message, hint, at) => {
    const error = failure(source);
    expect(error).toMatchObject({ code: "WORKFLOW_INVALID", message, hint });
    const position = error.problems[0]?.position;
    expect(position && `${position.line}:${position.column}`).toBe(at);
  });

  it.each([
    ["duplicate keys", "apiVersion: v1\nid: a\nid: b\ntasks: []", "The key 'id' occurs twice"],
    ["merge keys", withInputs("{ a: &x { b: 1 }, c: { <<: *x } }"), "Merge keys (<<) are not supported"],
    ["custom tags", withInputs("{ a: !env HOME }"), "Invalid YAML: Unresolved tag: !env"],
    ["a cyclic alias", withInputs("&x { a: *x }"), "Aliases inside aliases are not supported"],
    [
      "aliases of aliases",
      withInputs("{ a: &a [x, x], b: &b [*a, *a], c: [*b, *b] }"),
      "Aliases inside aliases are not supported",
    ],
    ["an unknown alias", withInputs("{ a: *x }"), "There is no anchor for the alias x"],
    ["__proto__", withInputs("{ __proto__: { x: 1 } }"), "The key __proto__ is reserved"],
    ["constructor", withInputs("{ constructor: x }"), "The key constructor is reserved"],
    [
      "two documents",
      `${withInputs("{}")}---\na: b`,
      "Invalid YAML: Source contains multiple documents; please use YAML.parseAllDocuments()",
    ],
    ["a list as a key", withInputs("{ ? [a] : b }"), "A key must be a word"],
    [
      "a reference in a key",
      withInputs('{ "{{ secrets.TOKEN }}": x }'),
      "References are allowed in values only, not in keys",
    ],
    ["101 levels", withInputs("[".repeat(101) + "]".repeat(101)), "The file is nested more than 100 levels deep"],
    ["20 000 levels", withInputs("[".repeat(20_000) + "]".repeat(20_000)), "The file is nested too deeply"],
    ["more than 1 MiB", `# ${"x".repeat(1024 * 1024)}`, "The file is larger than 1 MiB"],
    [
      "an alias of many",
      withInputs(`{ a: &x [${"1,".repeat(1500)}], b: [${"*x,".repeat(70)}] }`),
      "The file has more than 100000 values",
    ],
  ])("refuses %s", (_, source, message) => {
    expect(failure(source)).toMatchObject({ code: "WORKFLOW_INVALID", message });
  });

  it("refuses a billion laughs", () => {
    const levels = ["a: &a [x,x,x,x,x,x,x,x,x]"];
    for (const [from, to] of ["ab", "bc", "cd", "de", "ef", "fg", "gh", "hi"])
      levels.push(`${to}: &${to} [${`*${from},`.repeat(9)}]`);
    expect(failure(levels.join("\n")).message).toMatch("Aliases inside aliases");
  });

  it.each([
    ['{ m: "{{ secrets.OTHER }}" }', "SECRET_NOT_DECLARED", "Secret 'OTHER' not declared in workflow", "7:19"],
    ['{ m: "{{ secrets.TOKEN2 }}" }', "SECRET_NOT_DECLARED", "Secret 'TOKEN2' not declared in workflow", "7:19"],
    ['{ m: "{{ secrets.token }}" }', "SECRET_NOT_DECLARED", "Secret 'token' not declared in workflow", "7:19"],
    [
      '{ m: "{{ secrets. }}" }',
      "REFERENCE_INVALID",
      "Malformed reference 'secrets.': expected secrets.NAME or secrets.NAME.field",
      "7:19",
    ],
    [
      '{ m: "ok {{ secrets.TOKEN }} x {{ secrets.A.B.C }}" }',
      "REFERENCE_INVALID",
      "Malformed reference 'secrets.A.B.C': expected secrets.NAME or secrets.NAME.field",
      "7:44",
    ],
    ['{ m: "{{ secrets.TOKEN" }', "REFERENCE_INVALID", "Unclosed reference '{{ secrets.TOKEN': expected }}", "7:19"],
    ['{ m: "{{ inputs.env }}" }', "REFERENCE_INVALID", "'inputs.env' is not an input of this workflow", "7:19"],
    ['{ m: "{{ tasks.b.output }}" }', "REFERENCE_INVALID", "'tasks.b.output' names no task", "7:19"],
    [
      '{ m: "{{ tasks.a.output }}" }',
      "REFERENCE_INVALID",
      "'tasks.a.output' may not have run yet when 'a' starts",
      "7:19",
    ],
    [
      '{ list: [{ m: ["\\\\{{ x", "{{ secrets.NO }}"] }] }',
      "SECRET_NOT_DECLARED",
      "Secret 'NO' not declared in workflow",
      "7:39",
    ],
  ])("refuses the inputs %s, at the place", (inputs, code, message, at) => {
    const error = failure(withInputs(inputs));
    expect(error).toMatchObject({ code, message });
    const position = error.problems[0]?.position;
    expect(`${position?.line}:${position?.column}`).toBe(at);
  });

  it.each(["[]", "null"])("lets a workflow with secrets: %s use none", (secrets) => {
    const source = withInputs('{ m: "{{ secrets.TOKEN }}" }', secrets).replace("secrets: null\n", "");
    expect(failure(source)).toMatchObject({
      code: "SECRET_NOT_DECLARED",
      message: "Secret 'TOKEN' not declared in workflow",
    });
  });

  /** A file as large as it may be; as `npm test` has it, an eighth of that. */
  const part = process.env["LONG_TESTS"] === "true" ? 1 : 8;

  it.each([
    ["spaces in a reference", withInputs(`{ m: "{{ secrets.A${" ".repeat(250_000)}x }}" }`)],
    ["references in one text", withInputs(`{ m: "${"{{ secrets.NO }}".repeat(40_000 / part)}" }`)],
    ["commas", withInputs(`{ m: [${",".repeat(125_000 / part)}] }`)],
    ["unknown keys", Array.from({ length: 30_000 / part }, (_, index) => `k${index}: 1`).join("\n")],
    [
      "keys of one map",
      withInputs(`{ ${Array.from({ length: 60_000 / part }, (_, index) => `k${index}: 1`).join(", ")}, k0: 1 }`),
    ],
    ["tags", withInputs(`[ ${"!a x, ".repeat(80_000 / part)} ]`)],
  ])("comes to an end with a file full of %s, and tells 20 problems at most", (_, source) => {
    const error = failure(source);
    expect(error.problems.length).toBeLessThanOrEqual(20);
    expect(error.format().length).toBeLessThan(20_000);
  });

  it("finds all problems of references, graph and names at once", () => {
    const source = `apiVersion: v1
id: w
secrets: ["MY KEY", OK]
inputs: { x: { type: string, default: "{{ secrets.OK }}" } }
tasks:
  - { id: a, type: core/console.log, needs: [b], inputs: { m: "{{ secrets.NO }}" } }
  - { id: b, type: core/console.log, needs: [a, gone] }
  - { id: b, type: core/console.log }
`;
    expect(failure(source).problems.map(({ message, position }) => `${position?.line} ${message}`)).toEqual([
      "8 Task id 'b' is used twice",
      "7 Task 'b' needs 'gone', which is not a task",
      "6 Tasks depend on each other in a cycle: a -> b -> a",
      "3 Invalid secret name 'MY KEY': use letters, digits, underscore and hyphen",
      "4 References are allowed only in the inputs of a task",
      "6 Secret 'NO' not declared in workflow",
    ]);
  });

  it("shows the place in a code frame", () => {
    expect(failure(withInputs('{ m: "{{ secrets.NO }}" }')).format()).toBe(
      [
        "error: Secret 'NO' not declared in workflow",
        " --> w.yaml:7:19",
        '7 |     inputs: { m: "{{ secrets.NO }}" }',
        "  |                   ^^^^^^^^^^^^^^^^",
        "hint: Add NO to the `secrets:` list of the workflow.",
      ].join("\n"),
    );
  });

  it("shows the place in a block scalar, in a long line, and with control characters", () => {
    const block =
      "apiVersion: v1\nid: w\ntasks:\n  - id: a\n    type: core/console.log\n    inputs:\n      m: |\n        first\n        {{ secrets.NO }}\n";
    expect(failure(block).format()).toContain("--> w.yaml:9:9\n9 |         {{ secrets.NO }}\n");
    const long = failure(withInputs(`{ m: "${"x".repeat(5000)}{{ secrets.NO }}" }`)).format();
    expect(long.split("\n").every((line) => line.length < 120)).toBe(true);
    expect(long).toContain("{{ secrets.NO }}");
    expect(failure("apiVersion: v1\nid: w\ntasks: [] # \u202e\nx: 1").format()).not.toContain("\u202e");
  });
});
