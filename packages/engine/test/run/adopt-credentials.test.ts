import { defineAction, definePlugin, z } from "@autokestra/plugin-sdk";
import { describe, expect, it } from "vitest";
import { adoptCredentials, corePlugins, parseWorkflow } from "../../src/index.ts";

const TOKEN = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";
const KEY = "q8Zk2LmN4pR7sT9vW1xY";
const PRIVATE_KEY = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----";

const mail = definePlugin({
  name: "acme/mail",
  actions: {
    send: defineAction({ input: z.strictObject({ pin: z.string().meta({ secret: true }) }), run: () => null }),
  },
});

function adopt(inputs: string, options: Parameters<typeof adoptCredentials>[1] = {}, type = "core/http.get") {
  const file = `apiVersion: v1\nid: w\ntasks:\n  - id: get-it\n    type: ${type}\n    inputs: ${inputs}\n`;
  const parsed = parseWorkflow(file, "w.yaml");
  return { ...adoptCredentials(parsed, { plugins: [...corePlugins, mail], ...options }), file };
}

describe("adoptCredentials takes", () => {
  it.each([
    [
      "what an action marks as secret",
      "{ auth: { bearer: abc } }",
      { GET_IT_BEARER: "abc" },
      '{ auth: { bearer: "{{ secrets.GET_IT_BEARER }}" } }',
    ],
    [
      "what has a known prefix",
      `{ headers: { X: "a ${TOKEN}, b" } }`,
      { GET_IT_X: TOKEN },
      '{ headers: { X: "a {{ secrets.GET_IT_X }}, b" } }',
    ],
    [
      "two in one text",
      `{ x: sk_live_aaaa sk_live_bbbb }`,
      { GET_IT_X: "sk_live_aaaa", GET_IT_X_2: "sk_live_bbbb" },
      '{ x: "{{ secrets.GET_IT_X }} {{ secrets.GET_IT_X_2 }}" }',
    ],
    [
      "one value in two places",
      `{ a: ${TOKEN}, b: "x ${TOKEN}" }`,
      { GET_IT_A: TOKEN },
      '{ a: "{{ secrets.GET_IT_A }}", b: "x {{ secrets.GET_IT_A }}" }',
    ],
    [
      "a random word under a telling key",
      `{ headers: { X-Api-Key: '${KEY}' } }`,
      { GET_IT_X_API_KEY: KEY },
      "{ headers: { X-Api-Key: '{{ secrets.GET_IT_X_API_KEY }}' } }",
    ],
    [
      "a password in a URL",
      "{ url: 'https://svc:hunter2@a.example' }",
      { GET_IT_URL: "hunter2" },
      "{ url: 'https://svc:{{ secrets.GET_IT_URL }}@a.example' }",
    ],
    [
      "one beside a reference",
      `{ x: "{{ execution.id }} ${TOKEN}" }`,
      { GET_IT_X: TOKEN },
      '{ x: "{{ execution.id }} {{ secrets.GET_IT_X }}" }',
    ],
    [
      "a key of several lines",
      JSON.stringify({ x: `${PRIVATE_KEY}\n` }),
      { GET_IT_X: PRIVATE_KEY },
      '{"x":"{{ secrets.GET_IT_X }}\\n"}',
    ],
  ])("%s", (_, inputs, values, changed) => {
    const { secrets, source, file } = adopt(inputs);
    expect(Object.fromEntries(secrets.map(({ name, value }) => [name, value]))).toEqual(values);
    const declared = `id: w\nsecrets: [${Object.keys(values).join(", ")}]\n`;
    expect(source).toBe(file.replace("id: w\n", declared).replace(inputs, changed));
    // What it returns is a workflow with no credential in it.
    expect(adoptCredentials(parseWorkflow(source, "w.yaml"))).toMatchObject({ secrets: [], left: [], source });
  });

  it("one of a task that declares what it may use, and one of a task that runs at the end", () => {
    const source = `apiVersion: v1
id: w
secrets: [A]
tasks: [{ id: a, type: core/console.log, secrets: [A], inputs: { message: "{{ secrets.A }} ${TOKEN}" } }]
finally: [{ id: b, type: core/http.get, inputs: { url: "https://a.example", auth: { bearer: abc } } }]
`;
    expect(adoptCredentials(parseWorkflow(source, "w.yaml")).source).toBe(`apiVersion: v1
id: w
secrets: [A, A_MESSAGE, B_BEARER]
tasks: [{ id: a, type: core/console.log, secrets: [A, A_MESSAGE], inputs: { message: "{{ secrets.A }} {{ secrets.A_MESSAGE }}" } }]
finally: [{ id: b, type: core/http.get, inputs: { url: "https://a.example", auth: { bearer: "{{ secrets.B_BEARER }}" } } }]
`);
  });

  it("what the action of a plugin marks", () => {
    expect(adopt("{ pin: '1234' }", {}, "acme/mail.send").secrets).toMatchObject([
      { name: "GET_IT_PIN", value: "1234" },
    ]);
  });

  it("nothing from a file without credentials, which stays as it is", () => {
    const { file, ...adoption } = adopt("{ url: https://a.example, x: none-needed-here }");
    expect(adoption).toEqual({ secrets: [], left: [], source: file, shown: { before: file, after: file } });
  });
});

describe("the names of adopted secrets", () => {
  it("are not those of others", () => {
    const { secrets } = adopt(`{ x: ${TOKEN} }`, { taken: ["GET_IT_X", "GET_IT_X_2"] });
    expect(secrets).toMatchObject([{ name: "GET_IT_X_3", places: ["'x' of task 'get-it'"] }]);
  });

  it("are those that are given, also one that is declared already", () => {
    const file = `apiVersion: v1\nid: w\nsecrets: [X]\ntasks: [{ id: a, type: core/console.log, inputs: { message: ${TOKEN} } }]\n`;
    const { source } = adoptCredentials(parseWorkflow(file, "w.yaml"), { names: new Map([["A_MESSAGE", "X"]]) });
    expect(source).toBe(file.replace(TOKEN, '"{{ secrets.X }}"'));
    expect(adopt(`{ x: ${TOKEN} }`, { names: new Map([["GET_IT_X", "GITHUB"]]) }).source).toContain(
      "{{ secrets.GITHUB }}",
    );
    expect(() => adopt(`{ x: ${TOKEN} }`, { names: new Map([["GET_IT_X", "my key"]]) })).toThrow("Invalid secret name");
  });
});

describe("what is shown of a change", () => {
  it.each([
    ["a token, also in a comment", `{ x: ${TOKEN} } # ${TOKEN}`, TOKEN],
    ["a short value", "{ auth: { bearer: abc } }", " abc "],
    ["a value that is written otherwise", `{ auth: { bearer: "q\\x38Zk2LmN4pR7" } }`, "Zk2LmN4pR7"],
    ["the token of another place", `{ auth: { bearer: abcdef } } # ${TOKEN}`, TOKEN],
    ["a value of several lines", JSON.stringify({ x: PRIVATE_KEY }), "MIIEvQIBADAN"],
  ])("has no %s", (_, inputs, value) => {
    const { shown, secrets } = adopt(inputs);
    expect(secrets).toHaveLength(1);
    expect(`${shown.before}${shown.after}`).not.toContain(value);
    expect(shown.before).not.toBe(shown.after);
  });
});

describe("what is left", () => {
  const head = "apiVersion: v1\nid: w\n";
  const task = "tasks: [{ id: a, type: core/console.log, inputs:";
  it.each([
    [
      "a default",
      `${head}inputs: { k: { type: string, default: ${TOKEN} } }\n${task} { message: "{{ inputs.k }}" } }]\n`,
      "'inputs.k.default' contains what looks like a credential",
    ],
    ["an alias", `${head}${task} { message: &m ${TOKEN}, level: *m } }]\n`, "'message' of task 'a' contains"],
    [
      "an escaped brace beside it",
      `${head}${task} { message: '\\{{ ${TOKEN}' } }]\n`,
      "'message' of task 'a' contains",
    ],
    [
      "a comment",
      `${head}# ${TOKEN}\n${task} { message: ${TOKEN} } }]\n`,
      "Line 4 of the new file still contains the value of A_MESSAGE",
    ],
  ])("is named: %s", (_, file, expected) => {
    const { left } = adoptCredentials(parseWorkflow(file, "w.yaml"));
    expect(left[0]?.message).toContain(expected);
    expect(JSON.stringify(left)).not.toContain(TOKEN);
  });
});
