import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineAction, definePlugin, type Plugin, z } from "@autokestra/plugin-sdk";
import type { SecretSource } from "@autokestra/secrets-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkWorkflow, corePlugins, parseWorkflow, runWorkflow, type WorkflowReport } from "../../src/index.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "autokestra-check-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const CANARY = "9fA8s7d6F5g4h3J2k1L0";

/** Has TOKEN, which ends in so many days. */
function source(days = 100): SecretSource {
  const expiresAt = new Date(Date.now() + days * 86_400_000).toISOString();
  return {
    id: "test",
    lookup: async (name) =>
      name === "TOKEN"
        ? { status: "found", secret: { type: "apiKey", fields: { value: "v" }, expiresAt } }
        : { status: "notFound" },
  };
}

async function check(text: string, plugins: readonly Plugin[] = corePlugins, days = 100): Promise<WorkflowReport> {
  const path = join(folder, "w.yaml");
  writeFileSync(path, text);
  return await checkWorkflow(path, { sources: [source(days)], plugins });
}

/** A workflow of one task that prints a message. */
const say = (message: string, head = "") =>
  `apiVersion: v1\nid: w\n${head}tasks: [{ id: a, type: core/console.log, inputs: { message: ${message} } }]\n`;
const get = (inputs: string, head = "") =>
  `apiVersion: v1\nid: w\n${head}tasks: [{ id: a, type: core/http.get, inputs: { ${inputs} } }]\n`;

async function found(text: string): Promise<string[]> {
  const { problems } = await check(text);
  return problems.map(
    ({ severity, code, message, hint }) => `${severity} ${code} ${message}${hint ? ` / ${hint}` : ""}`,
  );
}

const cron = (trigger: string) => say("x", `trigger: { type: cron, ${trigger} }\n`);

describe("check knows the types of references", () => {
  const inputs =
    "inputs: { s: { type: string, default: x }, n: { type: number, default: 1 }, j: { type: json, default: 1 } }\n";

  it.each([
    ["text instead of a number", "timeoutSeconds: '{{ inputs.s }}'", "timeoutSeconds: expected number"],
    ["a number instead of text", "response: '{{ inputs.n }}'", "response"],
    ["longer text instead of a number", "timeoutSeconds: '{{ inputs.n }}0'", "timeoutSeconds"],
    ["what a filter makes of a number", "timeoutSeconds: '{{ inputs.n | trim }}'", "timeoutSeconds"],
    ["the id of the run instead of a list", "allowStatus: '{{ execution.id }}'", "allowStatus"],
    ["text among numbers", "allowStatus: [404, '{{ inputs.s }}']", "allowStatus[1]"],
  ])("and finds %s", async (_, more, expected) => {
    const errors = (await found(get(`url: https://a.example, ${more}`, inputs))).filter((line) =>
      line.startsWith("error"),
    );
    expect(errors).toEqual([expect.stringContaining(`Task 'a' has an invalid input: ${expected}`)]);
  });

  it.each([
    ["a number", "timeoutSeconds: '{{ inputs.n }}'"],
    ["a value of any type", "timeoutSeconds: '{{ inputs.j }}'"],
    ["a value with another default", "timeoutSeconds: '{{ inputs.s ?? 3 }}'"],
    ["a part of a value", "timeoutSeconds: '{{ inputs.j.seconds }}'"],
    ["a text that may be one of a few", "response: '{{ inputs.s }}'"],
    ["a number where text is taken too", "headers: { X-N: '{{ inputs.n }}' }"],
  ])("and takes %s", async (_, more) => {
    const errors = (await found(get(`url: https://a.example, ${more}`, inputs))).filter((line) =>
      line.startsWith("error"),
    );
    expect(errors).toEqual([]);
  });
});

describe("KP8: check finds what is literal", () => {
  it.each([
    [
      "a default of another type",
      say("'{{ inputs.n }}'", "inputs: { n: { type: number, default: three } }\n"),
      "The default of input 'n' must be a number",
    ],
    [
      "a boolean default in quotes",
      say("'{{ inputs.n }}'", 'inputs: { n: { type: boolean, default: "true" } }\n'),
      "Write it without quotes.",
    ],
    ["a cron expression in words", cron('cron: "every hour"'), "'trigger.cron' must be a cron expression"],
    ["a minute that no hour has", cron('cron: "61 * * * *"'), "'trigger.cron' must be a cron expression"],
    ["the 30th of February", cron('cron: "0 0 30 2 *"'), "'trigger.cron' names a day that none of its months has"],
    ["the 31st of short months", cron('cron: "0 0 31 4,6,9,11 *"'), "names a day that none of its months has"],
    ["six fields", cron('cron: "0 0 * * * *"'), "'trigger.cron' must be a cron expression"],
    ["a mistyped time zone", cron('cron: "0 6 * * *", timeZone: Europe/Berln'), "Did you mean 'Europe/Berlin'?"],
    ["a mistyped policy", cron('cron: "0 6 * * *", overlap: skp'), "Did you mean 'skip'?"],
    ["a mistyped input", get("uri: https://a.example"), "unknown key 'uri' / Did you mean 'url'?"],
    [
      "a mistyped input inside an input",
      get("url: https://a.example, auth: { baerer: '{{ execution.id }}' }"),
      "Did you mean 'bearer'?",
    ],
    ["a time with a unit", get('url: https://a.example, timeoutSeconds: "5s"'), "timeoutSeconds: expected number"],
    [
      "a timeout of a task with a unit",
      say("x").replace("inputs:", 'timeoutSeconds: "5s", inputs:'),
      "Write the number of seconds",
    ],
    ["a value that is none of a few", say("x, level: loud"), "level: expected one of debug, info, warn, error"],
    ["a URL that is none", get("url: nowhere"), "url: expected"],
    [
      "an unknown action",
      say("x").replace("console", "consol"),
      "There is no action 'core/consol.log' / Did you mean 'core/console.log'?",
    ],
  ])("%s", async (_, text, expected) => {
    expect((await found(text)).filter((line) => line.startsWith("error"))).toEqual([expect.stringContaining(expected)]);
  });

  it.each([
    ["a nickname", cron('cron: "@daily"')],
    ["names of days, a time zone", cron('cron: "0 6 * * MON-FRI", timeZone: UTC, missed: once, overlap: allow')],
    [
      "a reference for a number",
      get("url: https://a.example, timeoutSeconds: '{{ inputs.n }}'", "inputs: { n: { type: number, default: 3 } }\n"),
    ],
    ["a reference in a URL", get("url: '{{ inputs.n }}/x'", "inputs: { n: { type: string, default: y } }\n")],
    [
      "a reference for an object",
      get("url: https://a.example, auth: '{{ inputs.n }}'", "inputs: { n: { type: json, default: {} } }\n"),
    ],
  ])("and takes %s", async (_, text) => expect(await found(text)).toEqual([]));

  it("all stages at once, each problem with its place and its hint", async () => {
    const report = await check(`apiVersion: v1
id: w
secrets: [TOKEN, GONE]
inputs: { n: { type: number, default: three } }
trigger: { type: cron, cron: "every hour" }
tasks:
  - id: a
    type: core/http.get
    timeoutSeconds: "5s"
    needs: [nobody]
    inputs: { uri: "https://a.example/{{ secrets.GONE }}/{{ inputs.n }}" }
  - { id: b, type: core/none.log, inputs: { message: "{{ secrets.OTHER }} {{ secrets.TOKEN }}" } }
`);
    expect(report.problems.map(({ position, message }) => `${position?.line} ${message}`)).toEqual([
      "3 Missing secrets: GONE",
      "4 The default of input 'n' must be a number",
      "5 'trigger.cron' must be a cron expression of five fields, such as \"0 6 * * MON-FRI\"",
      "7 Task 'a' needs 'nobody', which is not a task",
      "9 'tasks.0.timeoutSeconds' must be a number",
      "11 Task 'a' has an invalid input: unknown key 'uri'",
      "12 There is no action 'core/none.log'",
      "12 Secret 'OTHER' not declared in workflow",
    ]);
    const text = report.problems.map((problem) => report.format(problem)).join("\n");
    expect(text).toMatch(/unknown key 'uri'\n +--> .*\n11 \| .*\n.*\^\nhint: Did you mean 'url'\?\n/);
  });

  it.each([
    [
      "a secret that is not used",
      say("x", "secrets: [TOKEN]\n"),
      "UNUSED_DECLARATION Secret 'TOKEN' is declared and not used",
    ],
    [
      "an input that is not used",
      say("x", "inputs: { n: { type: json, default: 1 } }\n"),
      "UNUSED_DECLARATION Input 'n'",
    ],
    ["GitHub's spelling", say("'$ {{ execution.id }}'").replace("$ ", "$"), "FOREIGN_REFERENCE"],
    ["KP3: an escape in a path", say("'C:\\{{ execution.id }}'"), "ESCAPED_REFERENCE '\\{{' is a literal '{{' here"],
    ["KP3: an escape behind a name", say("'dir\\{{ execution.id }}'"), "ESCAPED_REFERENCE"],
    [
      "a value where the action says that it is secret",
      get("url: https://a.example, auth: { bearer: abc }"),
      "INLINE_CREDENTIAL 'auth.bearer' of task 'a'",
    ],
    ["a known prefix", say("ghp_16C7e42F292c6912E7710c838347Ae178B4a"), "INLINE_CREDENTIAL"],
    [
      "a known prefix in a default",
      say("'{{ inputs.n }}'", "inputs: { n: { type: string, default: sk_live_x } }\n"),
      "INLINE_CREDENTIAL 'inputs.n.default'",
    ],
    [
      "a random text under a telling key",
      get(`url: https://a.example, headers: { X-Api-Key: ${CANARY} }`),
      "INLINE_CREDENTIAL 'headers.X-Api-Key'",
    ],
    ["a password in a URL", get("url: https://svc:hunter2@a.example"), "INLINE_CREDENTIAL 'url'"],
  ])("warns of %s", async (_, text, expected) => {
    const warnings = (await found(text)).filter((line) => line.startsWith("warning"));
    expect(warnings).toEqual([expect.stringContaining(expected)]);
  });

  it.each([
    ["a random text under another key", say(CANARY)],
    ["words under a telling key", get("url: https://a.example, headers: { X-Api-Key: none-needed-here-yet }")],
    [
      "a reference where the action wants a secret",
      get("url: https://a.example, auth: { bearer: '{{ execution.id }}' }"),
    ],
    ["an escape behind a space", say("'see \\{{ a }}'")],
    ["KP3: a backslash and a reference", say("'C:\\\\{{ execution.id }}'")],
  ])("does not warn of %s", async (_, text) => expect(await found(text)).toEqual([]));

  it("shows no line with a credential in it", async () => {
    const report = await check(get(`uri: x, url: https://a.example, headers: { X-Api-Key: ${CANARY} }`));
    const text = report.problems.map((problem) => report.format(problem)).join("\n");
    expect(text).toContain("unknown key 'uri'");
    expect(text).not.toContain(CANARY);
  });

  it.each([
    [13.9, ["warning SECRET_EXPIRES_SOON"]],
    [14.1, []],
    [-1, ["error SECRET_EXPIRED"]],
  ])("says what ends in %d days", async (days, expected) => {
    const { problems } = await check(say("'{{ secrets.TOKEN }}'", "secrets: [TOKEN]\n"), corePlugins, days);
    expect(problems.map(({ severity, code }) => `${severity} ${code}`)).toEqual(expected);
  });

  it("notes what a run must be given", async () => {
    expect(await found(say("'{{ inputs.n }}'", "inputs: { n: { type: string } }\n"))).toEqual([
      "note INPUT_REQUIRED Input 'n' has no default: each run must set it",
    ]);
  });
});

it("explain asks each source once, and says the same as a check", async () => {
  const path = join(folder, "w.yaml");
  writeFileSync(path, say("'{{ secrets.A }}'", "secrets: [A, B, C, D]\n"));
  const asked: string[] = [];
  const sourceOf = (id: string, ...names: readonly string[]): SecretSource => ({
    id,
    async lookup(name) {
      asked.push(`${id} ${name}`);
      const secret = { type: "apiKey", fields: { value: "v" }, expiresAt: null } as const;
      return await Promise.resolve(names.includes(name) ? { status: "found", secret } : { status: "notFound" });
    },
  });
  const vault: SecretSource = {
    ...sourceOf("vault"),
    leases: {
      async canCreate({ lease }) {
        asked.push(`vault may ${lease}`);
        return await Promise.resolve({ status: "found", secret: null });
      },
      open: () => {
        throw new Error("a check makes no credentials");
      },
    },
  };
  const options = {
    sources: [sourceOf("first", "A"), sourceOf("second", "B")],
    resolution: {
      bindings: { C: { source: "third" }, D: { source: "vault", lease: "creds/d" } },
      boundOnly: [sourceOf("third"), vault],
    },
  };
  const { problems, secrets } = await checkWorkflow(path, { ...options, explain: true });
  const once = ["first A", "first B", "second B", "third C", "vault may creds/d"];
  expect(asked.splice(0).toSorted()).toEqual(once);
  expect(secrets).toMatchObject([{ source: "first" }, { source: "second" }, { source: null }, { source: "vault" }]);
  const plain = await checkWorkflow(path, options);
  expect(asked.toSorted()).toEqual(once);
  expect(problems[0]).toMatchObject({ code: "SECRETS_MISSING", details: { names: ["C"] } });
  expect(plain).toMatchObject({ problems });
  expect(plain.secrets).toBeUndefined();
});

describe("KP10: two plugins", () => {
  const action = defineAction({ input: z.strictObject({}), run: () => undefined });
  const mail = definePlugin({ name: "acme/mail", actions: { send: action } });
  const other = definePlugin({ name: "acme/mail", actions: { send: action, list: action } });
  const twin = definePlugin({ name: "acme/mail", actions: { list: action } });
  const thief: Plugin = { name: "evil/http", actions: new Map([["core/http.get", action]]) };
  const text = "apiVersion: v1\nid: w\ntasks: [{ id: a, type: acme/mail.send }]\n";

  it.each([
    [
      "of one name with one action",
      [mail, other],
      "The action 'acme/mail.send' is in two plugins: acme/mail (acme/mail.send) and acme/mail (acme/mail.send, acme/mail.list)",
    ],
    [
      "of one name",
      [mail, twin],
      "Two plugins are named 'acme/mail': acme/mail (acme/mail.send) and acme/mail (acme/mail.list)",
    ],
    [
      "with one action",
      [...corePlugins, thief],
      "The action 'core/http.get' is in two plugins: core/http (core/http.request, core/http.get) and evil/http (core/http.get)",
    ],
  ])("%s are an error that names both", async (_, plugins, message) => {
    await expect(check(text, plugins)).rejects.toMatchObject({ code: "OPTION_INVALID", message });
    const run = runWorkflow(parseWorkflow(text, "w.yaml"), { sources: [], sink: () => undefined, plugins });
    await expect(run).rejects.toMatchObject({ code: "OPTION_INVALID", message });
  });

  it("that are the same count once", async () => {
    expect((await check(text, [mail, mail])).problems).toEqual([]);
  });
});
