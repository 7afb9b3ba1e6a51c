import { readdirSync, readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { workflowJsonSchema } from "../../src/index.ts";

const validate = new Ajv2020({ strict: false }).compile(workflowJsonSchema());
const task = (type: string, inputs: object, more = {}) => ({
  apiVersion: "v1",
  id: "w",
  tasks: [{ id: "a", type, inputs, ...more }],
});

describe("the JSON Schema of workflow files", () => {
  it("is the one that is shipped (`vitest -u` writes it)", async () => {
    await expect(`${JSON.stringify(workflowJsonSchema(), null, 2)}\n`).toMatchFileSnapshot("../../schema.json");
  });

  it.each([
    ["an action of ours", task("core/http.get", { url: "https://a.example", allowStatus: [404] })],
    [
      "a reference instead of a number",
      task("core/http.get", { url: "{{ inputs.u }}", timeoutSeconds: "{{ inputs.t }}" }),
    ],
    ["a reference in a list", task("core/http.get", { url: "u", allowStatus: ["{{ inputs.status }}"] })],
    ["any inputs of another action", task("acme/mail.send", { to: 1 })],
    ["a task with its keys", task("core/console.log", { message: "m" }, { retry: { max: 1 }, timeoutSeconds: 3 })],
  ])("takes %s", (_, workflow) => {
    expect(validate(workflow)).toBe(true);
  });

  it.each([
    ["an unknown key", { ...task("core/console.log", { message: "m" }), taks: [] }],
    ["an unknown input", task("core/http.get", { url: "u", uri: "u" })],
    ["a wrong type", task("core/http.get", { url: "u", timeoutSeconds: "3" })],
    ["a missing input", task("core/console.log", {})],
    ["an unknown key of a task", task("core/console.log", { message: "m" }, { timeout: 3 })],
  ])("refuses %s", (_, workflow) => {
    expect(validate(workflow)).toBe(false);
  });

  it("takes every example of the repository", () => {
    const folder = new URL("../../../../examples/", import.meta.url);
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
      (file) => file.endsWith(".yaml") && !file.endsWith("config.yaml"),
    );
    expect(files.length).toBeGreaterThan(1);
    for (const file of files) {
      validate(parse(readFileSync(new URL(file, folder), "utf8")));
      expect({ file, errors: validate.errors }).toEqual({ file, errors: null });
    }
  });
});
