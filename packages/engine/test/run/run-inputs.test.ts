import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineAction, z } from "@autokestra/plugin-sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseWorkflow, WorkflowError } from "../../src/index.ts";
import { collectInputs } from "../../src/internal.ts";
import { logged, tryRun, warned } from "./try-run.ts";

const MASK = "***SECRET***";
const VALUE = "hunter2-pässword";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "autokestra-inputs-"));
  writeFileSync(join(folder, "value"), `${VALUE}\n`);
  writeFileSync(join(folder, "empty"), "");
  writeFileSync(join(folder, "binary"), Buffer.of(0xff, 0xfe, 0xfd));
});
afterAll(() => rmSync(folder, { recursive: true }));

const workflowOf = (inputs: string) =>
  parseWorkflow(`apiVersion: v1\nid: w\ninputs: ${inputs}\ntasks: [{ id: a, type: core/http.get }]`, "w.yaml").workflow;
const SECRET = "{ db-password: { type: string, secret: true }, who: { type: string, default: me } }";

describe("KM4: secret inputs", () => {
  it.each<[string, string, string, string, string]>([
    ["a text", "string", VALUE, `in ${VALUE} ${Buffer.from(VALUE).toString("base64")}`, `in ${MASK} ${MASK}`],
    ["a number", "number", "471123", "in 471123", `in ${MASK}`],
    ["the leaves of JSON", "json", '{"user":"x","keys":["k3y-number-one"]}', "in k3y-number-one", `in ${MASK}`],
    ["JSON as a whole", "json", '{ "a": 1, "key": "k3y-number-one" }', '{"a":1,"key":"k3y-number-one"}', MASK],
  ])("mask %s", async (_, type, value, text, expected) => {
    const seen: unknown[] = [];
    const outcome = await tryRun(
      `  - { id: a, type: test/do.log, inputs: { given: "{{ inputs.secret }}", text: ${JSON.stringify(text)} } }`,
      {
        head: `inputs: { secret: { type: ${type}, secret: true } }`,
        inputs: { secret: value },
        actions: {
          log: defineAction({
            input: z.strictObject({ given: z.unknown(), text: z.string() }),
            run({ given, text: message }, { log }) {
              seen.push(given);
              log.info(message);
              return given;
            },
          }),
        },
      },
    );
    expect(seen).toEqual([type === "string" ? value : JSON.parse(value)]);
    expect(logged(outcome)).toEqual([expected]);
    expect(Object.keys(outcome.finished.masked)).toEqual(["inputs.secret"]);
    expect(outcome.out).not.toContain(type === "json" ? "k3y-number-one" : value);
  });

  it("leave other inputs alone, and warn where one cannot be masked", async () => {
    const outcome = await tryRun('  - { id: a, type: core/console.log, inputs: { message: "abc {{ inputs.who }}" } }', {
      head: "inputs: { pin: { type: string, secret: true }, who: { type: string, default: everybody } }",
      inputs: { pin: "abc" },
    });
    expect(logged(outcome)).toEqual(["abc everybody"]);
    expect(warned(outcome)).toEqual(["Input 'pin' has a value that is too short or too common to be masked"]);
  });

  it.each<[string, Record<string, string>, NodeJS.ProcessEnv, Record<string, string>]>([
    ["what is given", { "db-password": "given" }, { DB_PASSWORD_FILE: "value" }, { "db-password": "given" }],
    ["a file", {}, { DB_PASSWORD_FILE: "value" }, { "db-password": VALUE }],
    [
      "a file of the very name",
      {},
      { "db-password_FILE": "value", DB_PASSWORD_FILE: "empty" },
      { "db-password": VALUE },
    ],
    ["a person", {}, { WHO_FILE: "value", DB_PASSWORD: "no" }, { "db-password": "typed for db-password" }],
  ])("come from %s", async (_, given, files, expected) => {
    const env = Object.fromEntries(
      Object.entries(files).map(([name, file]) => [name, name.endsWith("_FILE") ? join(folder, file ?? "") : file]),
    );
    const ask = async (name: string) => `typed for ${name}`;
    expect(await collectInputs(workflowOf(SECRET), given, { env, ask })).toEqual(expected);
  });

  it.each<[string, string]>([
    ["empty", "Input 'db-password' cannot be read: the file named by DB_PASSWORD_FILE is empty"],
    ["binary", "Input 'db-password' cannot be read: The file named by DB_PASSWORD_FILE is not UTF-8 text"],
    ["gone", "Input 'db-password' cannot be read: the file named by DB_PASSWORD_FILE cannot be read (ENOENT)"],
  ])("refuse a file that is %s", async (file, message) => {
    const env = { DB_PASSWORD_FILE: join(folder, file) };
    await expect(collectInputs(workflowOf(SECRET), {}, { env })).rejects.toMatchObject({
      code: "INPUT_INVALID",
      message,
    });
  });

  it("never take the key of the store for an input", async () => {
    const workflow = workflowOf("{ AUTOKESTRA_SECRET_KEY: { type: string, secret: true } }");
    const env = { AUTOKESTRA_SECRET_KEY_FILE: join(folder, "value") };
    expect(await collectInputs(workflow, {}, { env })).toEqual({});
  });

  it.each<[string, Record<string, string>, string]>([
    ["is missing", {}, "Input 's' is missing"],
    ["is empty", { s: "" }, "Input 's' is secret and cannot be empty"],
    ["is of another type", { s: VALUE }, "Input 's' must be a number"],
  ])("stop the run where one %s, and do not repeat it", async (_, inputs, message) => {
    const head = "inputs: { s: { type: number, secret: true } }";
    const run = tryRun("  - { id: a, type: core/console.log, inputs: { message: x } }", { head, inputs });
    await expect(run).rejects.toMatchObject({ code: "INPUT_INVALID", message });
  });

  it("have no default", () => {
    const parse = () => workflowOf("{ s: { type: string, secret: true, default: x } }");
    expect(parse).toThrow(WorkflowError);
    expect(parse).toThrow("'inputs.s' is secret and has a default: a secret does not belong in a workflow file");
  });
});
