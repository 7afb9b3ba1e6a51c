import { corePlugins } from "@autokestra/plugins-core";
import type { RunEvent } from "@autokestra/runs";
import { keepsValue, parseJson, readsAsWritten } from "@autokestra/secrets-core/exact-json";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseWorkflow, runWorkflow, WorkflowError } from "../../src/index.ts";
import { type PreparedRun, prepareRun } from "../../src/run/prepare-run.ts";

/** A workflow of one request with these inputs. */
function request(inputs: string, head = ""): string {
  return `apiVersion: v1\nid: w\n${head}tasks:\n  - id: a\n    type: core/http.request\n    inputs:\n${inputs
    .split("\n")
    .map((line) => `      ${line}\n`)
    .join("")}`;
}

async function prepare(source: string): Promise<PreparedRun> {
  return await prepareRun(parseWorkflow(source, "w.yaml"), { sources: [], plugins: corePlugins });
}

async function failure(source: string): Promise<WorkflowError> {
  try {
    await prepare(source);
  } catch (error) {
    if (error instanceof WorkflowError) return error;
    throw error;
  }
  throw new Error("the workflow was accepted");
}

const RESPELLED = ["01234", "1.10", "1e3", "0x10", "0o17", ".5", "+1", "-0", "1.", "1E3", "True"];
const LOST = ["12345678901234567890", "9007199254740993", "0.12345678901234567890", "1e400", ".inf", "-.inf", ".nan"];
/** Text in YAML 1.2, or numbers and booleans that read as they are written. */
const KEPT = [
  "1_000",
  "1234",
  "-7",
  "1.5",
  "1e+21",
  "yes",
  "no",
  "on",
  "2027-01-01",
  "0b1",
  "1,5",
  "true",
  "9007199254740992",
];

describe("KD2: numbers of a workflow file", () => {
  it.each(RESPELLED)("refuses %s where it becomes text, with its place", async (number) => {
    for (const key of ["headers", "query"]) {
      const error = await failure(request(`url: https://a.example\n${key}: { x-zip: ${number} }`));
      expect(error).toMatchObject({
        code: "WORKFLOW_INVALID",
        message: "This value becomes text, where it would read differently",
        hint: "Put it in quotes.",
        problems: [{ position: { line: 8, length: number.length } }],
      });
      expect(error.format()).toContain(`w.yaml:8:`);
      expect(error.format()).toContain("^".repeat(number.length));
    }
  });

  it.each(RESPELLED)("keeps %s where it stays a number, and in quotes", async (number) => {
    const quoted = request(`url: https://a.example\nheaders: { x-zip: "${number}" }\nbody: { v: ${number} }`);
    expect(await prepare(quoted)).toMatchObject({ warnings: [] });
  });

  it.each(LOST)("refuses %s everywhere", async (number) => {
    const message = "This number cannot be kept with all its digits";
    const head = `inputs: { n: { type: number, default: ${number} } }\n`;
    for (const source of [request(`url: https://a.example\nbody: { v: ${number} }`), request("url: x", head)]) {
      expect(() => parseWorkflow(source, "w.yaml")).toThrow(
        expect.objectContaining({ code: "WORKFLOW_INVALID", message, hint: "Put it in quotes." }),
      );
    }
  });

  it.each(KEPT)("has nothing against %s", async (text) => {
    const source = request(`url: https://a.example\nquery: { a: ${text}, b: [${text}] }`);
    expect(await prepare(source)).toMatchObject({ warnings: [] });
  });

  it.each([
    ["in a list", "url: https://a.example\nquery: { a: [1, 1.10] }"],
    ["behind an alias", "url: https://a.example\nbody: { v: &v 1.10 }\nheaders: { x: *v }"],
    [
      "in a form",
      "url: https://a.example\nheaders: { Content-Type: application/x-www-form-urlencoded }\nbody: { zip: 01234 }",
    ],
  ])("finds one %s", async (_what, inputs) => {
    expect((await failure(request(inputs))).message).toContain("becomes text");
  });

  it.each(["01234: x", "1e3: x", "~: x", "null: x", "True: x"])("refuses the key of %s", async (entry) => {
    const error = await failure(request(`url: https://a.example\nquery:\n  ${entry}`));
    expect(error).toMatchObject({
      message: "A key is text, and this one would read differently",
      hint: "Put it in quotes.",
      problems: [{ position: { line: 9 } }],
    });
  });

  it.each([
    ["inside a longer text", 'url: "https://a.example/{{ inputs.n }}"'],
    ["as a whole header", 'url: https://a.example\nheaders: { x-zip: "{{ inputs.n }}" }'],
  ])("refuses a default that becomes text %s, at the default", async (_what, inputs) => {
    const error = await failure(request(inputs, "inputs: { n: { type: number, default: 1.10 } }\n"));
    expect(error).toMatchObject({ problems: [{ position: { line: 3, column: 39, length: 4 } }] });
  });

  it("keeps a default that stays a number", async () => {
    const source = request(
      'url: https://a.example\nbody: "{{ inputs.n }}"',
      "inputs: { n: { type: number, default: 1.10 } }\n",
    );
    expect(await prepare(source)).toMatchObject({ warnings: [] });
  });

  it.each(["id: 2027\ntasks", "id: w\nsecrets: [01234]\ntasks"])("says what to do about %j", (head) => {
    expect(() => parseWorkflow(`apiVersion: v1\n${head}: [{ id: a, type: core/console.log }]`, "w.yaml")).toThrow(
      expect.objectContaining({ message: expect.stringContaining("must be a string"), hint: "Put it in quotes." }),
    );
  });

  it("says what to do about a default that should be a text", async () => {
    expect(await failure(request("url: x", "inputs: { zip: { type: string, default: 01234 } }\n"))).toMatchObject({
      message: "The default of input 'zip' must be a string",
      hint: "Put it in quotes.",
    });
  });
});

describe("KD2: numbers that are given as inputs", () => {
  const inputs =
    "inputs: { n: { type: number, default: 1 }, j: { type: json, default: 1 }, s: { type: string, default: x } }";

  async function run(message: string, given: Readonly<Record<string, string>>): Promise<readonly RunEvent[]> {
    const source = `apiVersion: v1\nid: w\n${inputs}\ntasks: [{ id: a, type: core/console.log, inputs: { message: '${message}' } }]`;
    const events: RunEvent[] = [];
    await runWorkflow(parseWorkflow(source, "w.yaml"), {
      sources: [],
      inputs: given,
      sink: (event) => events.push(event),
    });
    return events;
  }

  it.each([
    ["20 digits", { n: "12345678901234567890" }, "Input 'n' has a number that cannot be kept with all its digits"],
    [
      "20 digits in JSON",
      { j: '{"a": [12345678901234567890]}' },
      "Input 'j' has a number that cannot be kept with all its digits",
    ],
    ["1.10 in a text", { n: "1.10" }, "Input 'n' becomes text in task 'a', where its number would read differently"],
    [
      "1e3 in JSON in a text",
      { j: '{"a": 1e3}' },
      "Input 'j' becomes text in task 'a', where its number would read differently",
    ],
    ["a leading zero", { n: "01234" }, "Input 'n' must be a number"],
    ["hexadecimal", { n: "0x10" }, "Input 'n' must be a number"],
    ["no whole part", { n: ".5" }, "Input 'n' must be a number"],
    ["a plus", { n: "+1" }, "Input 'n' must be a number"],
    ["a key twice", { j: '{"a": 1, "a": 2}' }, "Input 'j' has a key twice ('a')"],
  ])("refuses %s by the name of the input", async (_what, given, message) => {
    await expect(run("n {{ inputs.n }} j {{ inputs.j }}", given)).rejects.toMatchObject({
      code: "INPUT_INVALID",
      message,
    });
  });

  it("keeps all characters of a string, and numbers that stay numbers", async () => {
    const events = await run("{{ inputs.s }}|", { s: "01234", n: "1.10", j: "[1e3]" });
    expect(events).toContainEqual(expect.objectContaining({ event: "task.log", message: "01234|" }));
  });
});

describe("exact numbers", () => {
  it("keep what JavaScript writes", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        const text = JSON.stringify(number);
        expect(readsAsWritten(text, Number(text))).toBe(true);
        expect(keepsValue(text, Number(text))).toBe(true);
      }),
    );
  });

  it("are those of JSON, and all others keep their text", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 3 }), (text) => {
        const result = parseJson(text);
        if ("value" in result) expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(result.value)));
      }),
    );
  });
});
