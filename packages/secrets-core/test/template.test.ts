import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyCharacter } from "../../../scripts/test/any-character.ts";
import { parseTemplate } from "../src/index.ts";
import { formatReference, parseReference } from "../src/internal.ts";

/** A template as one line: text in quotes, references bare, problems as messages. */
function show(source: string): string[] {
  const { parts, problems } = parseTemplate(source);
  return [
    ...parts.map((part) => (part.kind === "text" ? JSON.stringify(part.text) : formatReference(part.reference))),
    ...problems.map(({ message, start, end }) => `${start}-${end} ${message}`),
  ];
}

describe("parseTemplate", () => {
  it.each([
    ["", []],
    ["plain } }} text", ['"plain } }} text"']],
    ["{{ secrets.A }}", ["secrets.A"]],
    ["{{secrets.A}}", ["secrets.A"]],
    ["{{\n\tsecrets.A.b\r\n}}", ["secrets.A.b"]],
    ["Bearer {{ secrets.A }}!", ['"Bearer "', "secrets.A", '"!"']],
    ["{{ secrets.A }}{{ secrets.B.c }}", ["secrets.A", "secrets.B.c"]],
    ["{{ secrets.-_0 }}", ["secrets.-_0"]],
    ["{{ inputs.env }}", ["inputs.env"]],
    ["{{ tasks.fetch.output }}", ["tasks.fetch.output"]],
    ["{{ tasks.fetch.output.body.0.id }}", ["tasks.fetch.output.body.0.id"]],
    ["{{ execution.id }} {{ workflow.id }}", ["execution.id", '" "', "workflow.id"]],
    ["{{ inputs.env.0.name }}", ["inputs.env.0.name"]],
    ["{{ tasks.fetch.status }}", ["tasks.fetch.status"]],
    ["{{ tasks.fetch.error }}", ["tasks.fetch.error"]],
    ["{{ tasks.fetch.error.code }}", ["tasks.fetch.error.code"]],
    ["{{ item }}", ["item"]],
    ["{{ item.name }} {{ index }}", ["item.name", '" "', "index"]],
    ["{{ run.status }}{{ run.failedTask }}{{ run.error }}", ["run.status", "run.failedTask", "run.error"]],
    ["\\{{ secrets.A }}", ['"{{ secrets.A }}"']],
    ["a \\{{ b {{ secrets.A }}", ['"a {{ b "', "secrets.A"]],
    // KP3
    ["C:\\\\{{ secrets.A }}", ['"C:\\\\"', "secrets.A"]],
    ["C:\\{{ secrets.A }}", ['"C:{{ secrets.A }}"']],
    ["\\\\\\{{ secrets.A }}", ['"\\\\{{ secrets.A }}"']],
    ["{{ secrets.A }}\\\\{{ secrets.A }}", ["secrets.A", '"\\\\"', "secrets.A"]],
    ["\\ {{ secrets.A }}", ['"\\\\ "', "secrets.A"]],
    ["{ {secrets.A} }", ['"{ {secrets.A} }"']],
    ["$& $$ \\n {{ secrets.A }} $1", ['"$& $$ \\\\n "', "secrets.A", '" $1"']],
  ])("reads %j", (source, expected) => {
    expect(show(source)).toEqual(expected);
  });

  it.each([
    ["{{ secrets. }}", "0-14 Malformed reference 'secrets.': expected secrets.NAME or secrets.NAME.field"],
    ["{{ secrets }}", "0-13 Malformed reference 'secrets': expected secrets.NAME or secrets.NAME.field"],
    ["{{ secrets.A.B.C }}", "0-19 Malformed reference 'secrets.A.B.C': expected secrets.NAME or secrets.NAME.field"],
    ["{{ secrets.MY KEY }}", "0-20 Malformed reference 'secrets.MY KEY': expected secrets.NAME or secrets.NAME.field"],
    [
      "{{ secrets.A\u200b }}",
      "0-16 Malformed reference 'secrets.A\\u{200b}': expected secrets.NAME or secrets.NAME.field",
    ],
    [
      "{{\u00a0secrets.A }}",
      "0-15 Unknown reference '\u00a0secrets.A': expected secrets.NAME or secrets.NAME.field, inputs.NAME or inputs.NAME.field, tasks.ID.output, tasks.ID.output.field, tasks.ID.status, tasks.ID.error or tasks.ID.error.field, item or item.field, index, run.status, run.failedTask or run.error, execution.id, workflow.id",
    ],
    ["x {{ secrets.A", "2-14 Unclosed reference '{{ secrets.A': expected }}"],
    [
      "{{ tasks.a.result }}",
      "0-20 Malformed reference 'tasks.a.result': expected tasks.ID.output, tasks.ID.output.field, tasks.ID.status, tasks.ID.error or tasks.ID.error.field",
    ],
    [
      "{{ secrets.__proto__ }}",
      "0-23 Malformed reference 'secrets.__proto__': expected secrets.NAME or secrets.NAME.field",
    ],
    [
      "{{ tasks.a.output.constructor }}",
      "0-32 Malformed reference 'tasks.a.output.constructor': expected tasks.ID.output, tasks.ID.output.field, tasks.ID.status, tasks.ID.error or tasks.ID.error.field",
    ],
    ["{{ execution.name }}", "0-20 Malformed reference 'execution.name': expected execution.id"],
  ])("says what is wrong with %j", (source, problem) => {
    expect(show(source).at(-1)).toBe(problem);
    expect(parseTemplate(source).problems).toHaveLength(1);
  });

  it.each([
    "{{ }}",
    "{{ Secrets.A }}",
    "{{ secret.A }}",
    "{{ env.HOME }}",
    "{{ process.env.HOME }}",
    "{{ this.constructor.constructor('return process')() }}",
    "{{ secrets['A'] }}",
    "{{ secrets.A | upper }}",
    "{{ secrets.A || 'x' }}",
    '{{ secrets.A ?? "x" }}',
    '{{ execution.id ?? "x" }}',
    "{{ index ?? 1 }}",
    "{{ inputs.A ?? }}",
    "{{ inputs.A ?? inputs.B }}",
    "{{ inputs.A ?? 'x' }}",
    '{{ inputs.A ?? "x }}',
    "{{ inputs.A ?? null }}",
    "{{ inputs.A ?? 1.10 }}",
    "{{ inputs.A ?? 01 }}",
    "{{ inputs.A ?? 1e3 }}",
    "{{ inputs.A ?? 1 ?? 2 }}",
    "{{ inputs.A ?? 1 + 2 }}",
    "{{ inputs.A | }}",
    "{{ inputs.A | base64 json }}",
    "{{ inputs.A | toString }}",
    "{{ inputs.A | constructor }}",
    "{{ inputs.A | json ?? 1 }}",
    "{{ inputs.A | trim | trim | trim | trim | trim }}",
    "{{ inputs.A ? 1 }}",
    "{{ index.a }}",
    "{{ run.error.code }}",
    "{{ run.id }}",
    "{{ tasks.a.status.x }}",
    "{{ 7 * 7 }}",
    "{{ {{ secrets.A }} }}",
    "{{ constructor.id }}",
    "{{ toString.id }}",
    "{{ secrets.А }}",
    "{{ global.process.mainModule.require('child_process') }}",
    "{{= secrets.A }}",
    "{{{ secrets.A }}}",
    "{{# secrets.A }}",
    "{{ secrets.A; 1 }}",
    "{{ `secrets.A` }}",
  ])("evaluates nothing: %j is a problem", (source) => {
    expect(parseTemplate(source).problems.length).toBeGreaterThan(0);
    expect(parseTemplate(source).parts.filter((part) => part.kind === "reference")).toEqual([]);
  });

  it("gives back every text without braces, and takes every reference it writes", () => {
    const name = fc
      .stringMatching(/^[A-Za-z0-9_-]{1,20}$/)
      .filter((text) => !["constructor", "prototype", "__proto__"].includes(text));
    const reference = fc
      .tuple(name, fc.option(name))
      .map(([first, field]) => ["secrets", first, field].filter((part) => part !== null).join("."));
    const text = fc.string({ unit: anyCharacter }).map((raw) => raw.replace(/[{}\\]/g, ""));
    fc.assert(
      fc.property(fc.array(fc.tuple(text, reference)), text, (pairs, tail) => {
        const source = pairs.map(([before, path]) => `${before}{{ ${path} }}`).join("") + tail;
        const { parts, problems } = parseTemplate(source);
        expect(problems).toEqual([]);
        const written = parts.map((part) =>
          part.kind === "text" ? part.text : `{{ ${formatReference(part.reference)} }}`,
        );
        expect(written.join("")).toBe(source);
      }),
    );
  });

  it("escapes a literal {{ so that it comes out as it went in", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("{{", "}}", " ", "a", "secrets.A", "}")), (pieces) => {
        const literal = pieces.join("").replace(/\{{3,}/g, "{{");
        const { parts, problems } = parseTemplate(literal.replaceAll("{{", "\\{{"));
        expect(problems).toEqual([]);
        expect(parts.map((part) => (part.kind === "text" ? part.text : "?")).join("")).toBe(literal);
      }),
    );
  });

  it("finds one problem in a megabyte of opening braces", () => {
    expect(parseTemplate("{{".repeat(500_000)).problems).toHaveLength(1);
    expect(parseTemplate("{{ secrets.".repeat(90_000)).problems).toHaveLength(1);
    expect(parseTemplate("{{ secrets.A }}".repeat(60_000)).parts).toHaveLength(60_000);
  });
});

describe("what follows a reference", () => {
  it.each([
    ["inputs.a", null, []],
    ['inputs.a ?? "latest"', { value: "latest" }, []],
    ['inputs.a??"a \\"b\\" | c \\u00e9"', { value: 'a "b" | c é' }, []],
    ["inputs.a ?? 0", { value: 0 }, []],
    ["tasks.a.output.b ?? -1.5", { value: -1.5 }, []],
    ["item.x ?? true", { value: true }, []],
    ["inputs.a ?? false | json", { value: false }, ["json"]],
    ["secrets.A|base64", null, ["base64"]],
    ["secrets.A | trim | urlencode | json | base64", null, ["trim", "urlencode", "json", "base64"]],
  ])("reads %s", (text, fallback, filters) => {
    expect(parseReference(text)).toMatchObject({ ok: true, fallback, filters });
  });

  it.each([
    ['secrets.A ?? "x"', "no ?? after secrets: only inputs, tasks and item can be missing"],
    ["inputs.a ?? x", 'text in double quotes, a number, true or false after ??, as in ?? "latest"'],
    ["inputs.a | upper", "the filters base64, json, urlencode, trim, each after a |"],
    ["inputs.a | trim | trim | trim | trim | trim", "at most 4 filters"],
  ])("says what is expected in %s", (text, expected) => {
    const problem = `Malformed reference '${text}': expected ${expected}`;
    expect(parseReference(text)).toEqual({ ok: false, problem });
  });
});

describe("parseReference", () => {
  it("refuses a path of any length in one step", () => {
    expect(parseReference(`tasks.a.output${".x".repeat(200_000)}`).ok).toBe(true);
    expect(parseReference(`secrets${".x".repeat(200_000)}`).ok).toBe(false);
  });
});
