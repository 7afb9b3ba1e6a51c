import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ActionContext, defineAction, definePlugin, z } from "@autokestra/plugin-sdk";
import type { RunEvent, RunFinished } from "@autokestra/runs";
import type { SecretAllow } from "@autokestra/secrets-core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  checkWorkflow,
  corePlugins,
  loadWorkflow,
  parseWorkflow,
  type RunOptions,
  runWorkflow,
} from "../../src/index.ts";

const TOKEN = "tok3n-value-1234";
const FREE = "fr33-value-5678";
const NO_RULE: SecretAllow = { workflows: [], taskTypes: [], hosts: [] };

/** What reached an action. */
let seen: { type: string; id: string; given: string; network: ActionContext["network"] }[] = [];
const input = z.record(z.string(), z.unknown());
const actionOf = (run: (given: Record<string, unknown>) => unknown) =>
  defineAction({
    input,
    run(given, { task, network }) {
      seen.push({ type: task.type, id: task.id, given: JSON.stringify(given), network });
      return run(given);
    },
  });
const plugins: RunOptions["plugins"] = [
  ...corePlugins,
  definePlugin({
    name: "test/do",
    actions: {
      echo: actionOf((given) => given),
      other: actionOf((given) => given),
      encode: actionOf((given) => ({ v: Buffer.from(String(given["v"])).toString("base64") })),
      reverse: actionOf((given) => ({ v: Array.from(String(given["v"])).toReversed().join("") })),
      fail: actionOf(() => {
        throw new Error("on purpose");
      }),
    },
  }),
];

let folder: string;
beforeEach(() => {
  seen = [];
  folder = mkdtempSync(join(tmpdir(), "autokestra-rules-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function sourcesOf(allow: Partial<SecretAllow> | undefined, value: unknown = TOKEN): RunOptions["sources"] {
  return [
    {
      id: "t",
      async lookup(name) {
        if (name !== "TOKEN" && name !== "FREE") return { status: "notFound" };
        const rules = name === "TOKEN" && allow !== undefined ? { allow: { ...NO_RULE, ...allow } } : {};
        const secret = name === "TOKEN" ? value : FREE;
        const fields = typeof secret === "string" ? { value: secret } : (secret as Record<string, string>);
        const type = typeof secret === "string" ? ("apiKey" as const) : ("custom" as const);
        return { status: "found", secret: { type, fields, expiresAt: null, ...rules } };
      },
    },
  ];
}

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

interface Tried {
  /** The message of the refusal before the first task, or of the first task that has failed; null for a success. */
  readonly refused: string | null;
  readonly beforehand: boolean;
  readonly out: string;
  readonly finished: RunFinished | null;
}

async function tryRun(sources: RunOptions["sources"], file = "main.yaml"): Promise<Tried> {
  const events: RunEvent[] = [];
  try {
    const parsed = await loadWorkflow(join(folder, file));
    const finished = await runWorkflow(parsed, { sources, plugins, sink: (event) => void events.push(event) });
    const [failed] = Object.values(finished.tasks).flatMap(({ error }) => error ?? []);
    return { refused: failed?.message ?? null, beforehand: false, out: JSON.stringify(events), finished };
  } catch (error) {
    const refused = error instanceof Error ? error.message : String(error);
    return { refused, beforehand: true, out: JSON.stringify(events) + JSON.stringify(error), finished: null };
  }
}

/** Tasks, in a workflow `main` that declares both secrets. */
const main = (tasks: string, more = "") => ({
  "main.yaml": `apiVersion: v1\nid: main\nsecrets: [TOKEN, FREE]\n${more}\ntasks:\n${tasks}`,
});
const child = (tasks: string, more = "") => ({ "child.yaml": `apiVersion: v1\nid: child\n${more}\ntasks:\n${tasks}` });
const IN_CHILD = 'inputs: { v: { type: json, default: "" } }';
const task = (id: string, value: string, more = "", type = "test/do.other") =>
  `  - { id: ${id}, type: ${type}, ${more} inputs: { v: ${value} } }\n`;
const call = (inputs: string, more = "") =>
  `  - { id: call, type: core/workflow.call, ${more} inputs: { file: child.yaml, inputs: ${inputs} } }\n`;
const after = (id: string) => `needs: [${id}],`;
const onlyEcho = { taskTypes: ["test/do.echo"] };

/** Ways to bring TOKEN into a task of type test/do.other, which its rule does not allow. */
const WAYS: readonly (readonly [way: string, files: Readonly<Record<string, string>>, known: "before" | "at run"])[] = [
  ["a reference", main(task("x", '"{{ secrets.TOKEN }}"')), "before"],
  ["a field", main(task("x", '"{{ secrets.TOKEN.value }}"')), "before"],
  ["inside a text", main(task("x", '"a {{ secrets.TOKEN }} b"')), "before"],
  ["deep inside", main(task("x", '[{ a: [{ b: "{{ secrets.TOKEN }}" }] }]')), "before"],
  ["through a filter", main(task("x", '"{{ secrets.TOKEN | base64 }}"')), "before"],
  ["the items of a forEach", main(task("x", '"{{ item }}"', 'forEach: ["{{ secrets.TOKEN }}"],')), "before"],
  ["a part of items", main(task("x", '"{{ item.k }}"', 'forEach: [{ k: "{{ secrets.TOKEN }}" }],')), "before"],
  [
    "onFailure",
    {
      "main.yaml": `${main(task("x", "a", "", "test/do.fail"))["main.yaml"]}onFailure:\n${task("y", '"{{ secrets.TOKEN }}"')}`,
    },
    "before",
  ],
  [
    "finally",
    { "main.yaml": `${main(task("x", "a"))["main.yaml"]}finally:\n${task("y", '"{{ secrets.TOKEN }}"')}` },
    "before",
  ],
  ["a task that is skipped by its if", main(task("x", '"{{ secrets.TOKEN }}"', 'if: "1 == 2",')), "before"],
  [
    "a called workflow that declares it",
    { ...main(call("{}")), ...child(task("x", '"{{ secrets.TOKEN }}"'), "secrets: [TOKEN]") },
    "before",
  ],
  [
    "an input of a called workflow",
    { ...main(call('{ v: "{{ secrets.TOKEN }}" }')), ...child(task("x", '"{{ inputs.v }}"'), IN_CHILD) },
    "before",
  ],
  [
    "an input that is an object",
    { ...main(call('{ v: { a: "{{ secrets.TOKEN }}" } }')), ...child(task("x", '"{{ inputs.v.a }}"'), IN_CHILD) },
    "before",
  ],
  [
    "an input, then a forEach of it",
    {
      ...main(call('{ v: ["{{ secrets.TOKEN }}"] }')),
      ...child(task("x", '"{{ item }}"', 'forEach: "{{ inputs.v }}",'), IN_CHILD),
    },
    "before",
  ],
  [
    "an item that is an input",
    {
      ...main(call('{ v: "{{ item }}" }', 'forEach: ["{{ secrets.TOKEN }}"],')),
      ...child(task("x", '"{{ inputs.v }}"'), IN_CHILD),
    },
    "before",
  ],
  [
    "an output of a called workflow",
    {
      ...main(call("{}") + task("x", '"{{ tasks.call.output.t }}"', after("call"))),
      ...child(task("y", "a"), 'secrets: [TOKEN]\noutputs: { t: "{{ secrets.TOKEN }}" }'),
    },
    "before",
  ],
  [
    "the whole output of a called workflow",
    {
      ...main(call("{}") + task("x", '"{{ tasks.call.output }}"', after("call"))),
      ...child(task("y", "a"), 'secrets: [TOKEN]\noutputs: { t: "{{ secrets.TOKEN }}" }'),
    },
    "before",
  ],
  [
    "the items of an output",
    {
      ...main(call("{}") + task("x", '"{{ item }}"', `${after("call")} forEach: "{{ tasks.call.output.t }}",`)),
      ...child(task("y", "a"), 'secrets: [TOKEN]\noutputs: { t: ["{{ secrets.TOKEN }}"] }'),
    },
    "before",
  ],
  [
    "in by an input and out by an output",
    {
      ...main(call('{ v: "{{ secrets.TOKEN }}" }') + task("x", '"{{ tasks.call.output.t }}"', after("call"))),
      ...child(task("y", "a"), `${IN_CHILD}\noutputs: { t: "{{ inputs.v }}" }`),
    },
    "before",
  ],
  [
    "in and out, for each item",
    {
      ...main(
        call('{ v: "{{ secrets.TOKEN }}" }', "forEach: [1, 2],") +
          task("x", '"{{ tasks.call.output.0.t }}"', after("call")),
      ),
      ...child(task("y", "a"), `${IN_CHILD}\noutputs: { t: "{{ inputs.v }}" }`),
    },
    "before",
  ],
  [
    "three levels down",
    {
      ...main(call('{ v: "{{ secrets.TOKEN }}" }')),
      ...child(
        '  - { id: c, type: core/workflow.call, inputs: { file: deep.yaml, inputs: { w: "{{ inputs.v }}" } } }\n',
        IN_CHILD,
      ),
      "deep.yaml": `apiVersion: v1\nid: deep\ninputs: { w: { type: json } }\ntasks:\n${task("x", '"{{ inputs.w }}"')}`,
    },
    "before",
  ],
  [
    "a second call of the same file",
    {
      ...main(
        `${call("{}")}  - { id: again, type: core/workflow.call, inputs: { file: child.yaml, inputs: { v: "{{ secrets.TOKEN }}" } } }\n`,
      ),
      ...child(task("x", '"{{ inputs.v }}"'), IN_CHILD),
    },
    "before",
  ],
  [
    "the output of an allowed action",
    main(task("a", '"{{ secrets.TOKEN }}"', "", "test/do.echo") + task("x", '"{{ tasks.a.output.v }}"', after("a"))),
    "at run",
  ],
  [
    "that output by way of a called workflow",
    {
      ...main(
        task("a", '"{{ secrets.TOKEN }}"', "", "test/do.echo") + call('{ v: "{{ tasks.a.output }}" }', after("a")),
      ),
      ...child(task("x", '"{{ inputs.v }}"'), IN_CHILD),
    },
    "at run",
  ],
  [
    "that output, filtered",
    main(
      task("a", '"{{ secrets.TOKEN }}"', "", "test/do.echo") +
        task("x", '"{{ tasks.a.output.v | urlencode | base64 }}"', after("a")),
    ),
    "at run",
  ],
  [
    "that output as items",
    main(
      task("a", '["{{ secrets.TOKEN }}"]', "", "test/do.echo") +
        task("x", '"{{ item }}"', `${after("a")} forEach: "{{ tasks.a.output.v }}",`),
    ),
    "at run",
  ],
];

describe("a secret that only test/do.echo may use", () => {
  it.each(WAYS)("does not come into another task by %s", async (_, files, known) => {
    write(files);
    const { refused, beforehand, out } = await tryRun(sourcesOf(onlyEcho));
    expect(refused).toMatch(
      /(?:^|: )Secret 'TOKEN' may not be used by task '[^']+' \(test\/do\.other\): it allows the task types test\/do\.echo$/m,
    );
    expect(beforehand).toBe(known === "before");
    expect(seen.filter(({ type, given }) => type === "test/do.other" && given.includes(TOKEN))).toEqual([]);
    expect(out).not.toContain(TOKEN);
    const report = await checkWorkflow(join(folder, "main.yaml"), { sources: sourcesOf(onlyEcho), plugins });
    const found = report.problems.filter(({ code }) => code === "SECRET_NOT_ALLOWED");
    expect(found.length > 0).toBe(known === "before");
    for (const problem of found) expect(problem.position !== undefined || problem.message.startsWith("In ")).toBe(true);
  });

  // The negative control: without the rule, every way brings it there.
  it.each(WAYS)("and without the rule it does, by %s", async (way, files) => {
    write(files);
    await tryRun(sourcesOf(undefined));
    const isThere = seen.some(({ type, given }) => type === "test/do.other" && /tok3n-value-1234|dG9rM24t/.test(given));
    expect(isThere).toBe(!way.includes("skipped"));
  });

  it.each([
    ["another secret", main(task("x", '"{{ secrets.FREE }}"'))],
    ["the allowed action", main(task("x", '"{{ secrets.TOKEN }}"', "", "test/do.echo"))],
    [
      "an output beside the secret one",
      {
        ...main(call("{}") + task("x", '"{{ tasks.call.output.f }}"', after("call"))),
        ...child(task("y", "a"), 'secrets: [TOKEN]\noutputs: { t: "{{ secrets.TOKEN }}", f: 1 }'),
      },
    ],
    [
      "an input beside the secret one",
      {
        ...main(call('{ v: "{{ secrets.TOKEN }}", w: 1 }')),
        ...child(task("x", '"{{ inputs.w }}"'), "inputs: { v: { type: json }, w: { type: json } }"),
      },
    ],
    [
      "a call that gives nothing, of a file that hands inputs back",
      {
        ...main(
          `${call('{ v: "{{ secrets.TOKEN }}" }')}  - { id: b, type: core/workflow.call, inputs: { file: child.yaml, inputs: { v: 1 } } }\n${task("x", '"{{ tasks.b.output.t }}"', after("b"))}`,
        ),
        ...child(task("y", "a"), `${IN_CHILD}\noutputs: { t: "{{ inputs.v }}" }`),
      },
    ],
    [
      "the status of a task that has it",
      main(task("a", '"{{ secrets.TOKEN }}"', "", "test/do.echo") + task("x", '"{{ tasks.a.status }}"', after("a"))),
    ],
  ])("stops nothing else: %s", async (_, files) => {
    write(files);
    expect((await tryRun(sourcesOf(onlyEcho))).refused).toBe(null);
  });

  it("is not followed through an action that changes it, as the documentation says", async () => {
    const encode = (type: string) =>
      main(task("a", '"{{ secrets.TOKEN }}"', "", type) + task("x", '"{{ tasks.a.output.v }}"', after("a")));
    const allow = { taskTypes: ["test/do.encode", "test/do.reverse"] };
    write(encode("test/do.encode"));
    expect((await tryRun(sourcesOf(allow))).refused).toContain("may not be used by task 'x'");
    write(encode("test/do.reverse"));
    expect((await tryRun(sourcesOf(allow))).refused).toBe(null);
  });

  it("is found by its references even if its value cannot be masked", async () => {
    write({ ...main(call('{ v: "{{ secrets.TOKEN.pin }}" }')), ...child(task("x", '"{{ inputs.v }}"'), IN_CHILD) });
    const { refused } = await tryRun(sourcesOf(onlyEcho, { pin: "12", other: "x" }));
    expect(refused).toContain("may not be used by task 'x'");
    expect(seen).toEqual([]);
  });

  it("is refused again in each attempt, and no attempt is repeated for it", async () => {
    write(
      main(
        task("a", '"{{ secrets.TOKEN }}"', "", "test/do.echo") +
          task("x", '"{{ tasks.a.output.v }}"', `${after("a")} retry: { max: 3, backoffSeconds: 0 },`),
      ),
    );
    const { out, refused } = await tryRun(sourcesOf(onlyEcho));
    expect(refused).toContain("may not be used by task 'x'");
    expect(out).not.toContain("task.retried");
  });
});

describe("a secret that only some workflows may use", () => {
  const sources = sourcesOf({ workflows: ["main"] });

  it("is used by that workflow, read from a file", async () => {
    write(main(task("x", '"{{ secrets.TOKEN }}"')));
    expect((await tryRun(sources)).refused).toBe(null);
  });

  it.each([
    [
      "another id",
      { "main.yaml": main(task("x", "a"))["main.yaml"].replace("id: main", "id: evil") },
      "by workflow 'evil': it allows the workflows main",
    ],
    [
      "a called workflow that declares it",
      { ...main(call("{}")), ...child(task("x", "a"), "secrets: [TOKEN]") },
      "by workflow 'child'",
    ],
    [
      "a called workflow that gets it",
      { ...main(call('{ v: "{{ secrets.TOKEN }}" }')), ...child(task("x", '"{{ inputs.v }}"'), IN_CHILD) },
      "by workflow 'child'",
    ],
    [
      "another workflow that calls the allowed one",
      {
        "main.yaml": `apiVersion: v1\nid: evil\nsecrets: [TOKEN]\ntasks:\n${call("{}")}`,
        "child.yaml": `apiVersion: v1\nid: main\nsecrets: [TOKEN]\ntasks:\n${task("x", '"{{ secrets.TOKEN }}"')}`,
      },
      "by workflow 'evil'",
    ],
    [
      "an output of an action, passed to a called workflow",
      {
        ...main(task("a", '"{{ secrets.TOKEN }}"') + call('{ v: "{{ tasks.a.output.v }}" }', after("a"))),
        ...child(task("x", '"{{ inputs.v }}"'), IN_CHILD),
      },
      "by workflow 'child'",
    ],
  ])("is refused to %s", async (_, files, message) => {
    write(files);
    const { refused } = await tryRun(sources);
    expect(refused).toContain("Secret 'TOKEN' may not be used");
    expect(refused).toContain(message);
    expect(seen.filter(({ id, given }) => id !== "a" && given.includes(TOKEN))).toEqual([]);
  });

  it("is never used by a text, whatever id that gives itself", async () => {
    const text = main(task("x", '"{{ secrets.TOKEN }}"'))["main.yaml"];
    const run = runWorkflow(parseWorkflow(text, join(folder, "main.yaml")), {
      sources,
      plugins,
      sink: () => undefined,
    });
    await expect(run).rejects.toThrow("by a workflow that was not read from a file: it allows the workflows main");
    const free = parseWorkflow(text.replace("TOKEN, ", "").replace("TOKEN", "FREE"), "main.yaml");
    expect((await runWorkflow(free, { sources, plugins, sink: () => undefined })).status).toBe("success");
  });
});

describe("the hosts of secrets", () => {
  const allow = { hosts: ["api.example.com", "*.example.org"], taskTypes: ["test/do.*", "core/http.*"] };

  it("are handed to the action, with the names of the secrets", async () => {
    write(main(task("x", '"{{ secrets.TOKEN }} {{ secrets.FREE }}"') + task("y", '"{{ secrets.FREE }}"')));
    expect((await tryRun(sourcesOf(allow))).refused).toBe(null);
    expect(seen.find(({ id }) => id === "x")?.network).toEqual({ hosts: allow.hosts, secrets: ["TOKEN"] });
    expect(seen.find(({ id }) => id === "y")).toHaveProperty("network", undefined);
  });

  it("are handed to an action that gets the value from another one", async () => {
    write(main(task("a", '"{{ secrets.TOKEN }}"') + task("x", '"{{ tasks.a.output.v }}"', after("a"))));
    await tryRun(sourcesOf(allow));
    expect(seen.find(({ id }) => id === "x")?.network?.hosts).toEqual(allow.hosts);
  });

  it.each([
    ["https://api.example.com/x?y={{ inputs.p }}", null],
    ["https://a.example.org", null],
    ["https://{{ inputs.p }}.example.net/x", null],
    ["https://evil.example/api.example.com", "may not be sent to 'evil.example' by task 'x': it allows the hosts"],
    ["https://api.example.com@evil.example/", "may not be sent to 'evil.example'"],
    ["https://evil.example\\\\@api.example.com/", "may not be sent to 'evil.example'"],
  ])("are compared with %s before a run", async (url, message) => {
    const tasks = `  - { id: x, type: core/http.get, inputs: { url: "${url}", headers: { a: "{{ secrets.TOKEN }}" } } }\n`;
    write(main(tasks, 'inputs: { p: { type: string, default: "evil" } }'));
    const { problems } = await checkWorkflow(join(folder, "main.yaml"), { sources: sourcesOf(allow), plugins });
    const found = problems.filter(({ code }) => code === "SECRET_NOT_ALLOWED");
    expect(found.map((problem) => problem.message)).toEqual(message === null ? [] : [expect.stringContaining(message)]);
    expect(found.map(({ position }) => position?.line)).toEqual(message === null ? [] : [6]);
  });

  it("of two secrets are those that both allow, and none in common is refused before the run", async () => {
    const both = (hosts: readonly string[]): RunOptions["sources"] => [
      {
        id: "t",
        async lookup(name) {
          const own = name === "TOKEN" ? ["*.example.com"] : hosts;
          const allowed = { workflows: [], taskTypes: ["test/do.*"], hosts: own };
          return {
            status: "found",
            secret: { type: "apiKey", fields: { value: `${name}-value-1` }, expiresAt: null, allow: allowed },
          };
        },
      },
    ];
    write(main(task("x", '"{{ secrets.TOKEN }} {{ secrets.FREE }}"')));
    expect((await tryRun(both(["a.example.com:443"]))).refused).toBe(null);
    expect(seen[0]?.network).toEqual({ hosts: ["a.example.com:443"], secrets: ["TOKEN", "FREE"] });
    expect((await tryRun(both(["a.example.org"]))).refused).toContain(
      "Secrets TOKEN, FREE may not be used together by task 'x'",
    );
  });
});

describe("a task that narrows its secrets", () => {
  it.each([
    ["a reference", task("x", '"{{ secrets.TOKEN }}"', "secrets: [FREE],")],
    ["its items", task("x", '"{{ item }}"', 'secrets: [FREE], forEach: ["{{ secrets.TOKEN }}"],')],
    ["none at all", task("x", '"{{ secrets.FREE }}"', "secrets: [],")],
    ["a name that is not declared", task("x", "a", "secrets: [NOPE],")],
  ])("gets no other: %s", async (_, tasks) => {
    write(main(tasks));
    const { refused, beforehand } = await tryRun(sourcesOf(undefined));
    expect(refused).toMatch(/is not among the `secrets` of task 'x'|not declared in workflow/);
    expect(beforehand).toBe(true);
    expect(seen).toEqual([]);
  });

  it("keeps a called workflow from the others", async () => {
    write({
      ...main(call("{}", "secrets: [FREE],")),
      ...child(task("x", '"{{ secrets.TOKEN }}"'), "secrets: [TOKEN]"),
    });
    expect((await tryRun(sourcesOf(undefined))).refused).toContain(
      "declares secret 'TOKEN', which its caller may not use",
    );
  });
});

it("two runs in one process share nothing: rules, hosts, scopes", async () => {
  write(
    main(
      task("x", '"{{ secrets.TOKEN }}"', "", "test/do.echo") +
        task("y", '"{{ tasks.x.output.v }}"', after("x"), "test/do.other"),
    ),
  );
  const kinds = [
    undefined,
    onlyEcho,
    { hosts: ["a.example"], taskTypes: ["test/do.*"] },
    { workflows: ["evil"] },
  ] as const;
  const runs = await Promise.all(
    Array.from({ length: 40 }, async (_, index) => {
      const tried = await tryRun(sourcesOf(kinds[index % 4], `own-value-${index}-${"x".repeat(8)}`));
      return [index % 4, tried.refused?.replace(/:.*/s, "") ?? null];
    }),
  );
  const expected = [
    null,
    "Secret 'TOKEN' may not be used by task 'y' (test/do.other)",
    null,
    "Secret 'TOKEN' may not be used by workflow 'main'",
  ];
  expect(runs).toEqual(runs.map(([kind]) => [kind, expected[Number(kind)]]));
  for (const { given, network } of seen) {
    const index = Number(/own-value-(\d+)-/.exec(given)?.[1]);
    expect(network?.hosts).toEqual(index % 4 === 2 ? ["a.example"] : undefined);
  }
});
