import type { ApiAuditReport, ApiRunEvent } from "@autokestra/server/answers";
import { describe, expect, it } from "vitest";
import { describeReport } from "../src/audit/audit-words.ts";
import { type Input, initialText, readInputs } from "../src/runs/input-values.ts";
import { createEventReader } from "../src/runs/server-sent-events.ts";
import { addEvents, durationOf, statesOfGraph } from "../src/runs/task-states.ts";

describe("server-sent events", () => {
  const stream = [
    "retry: 1000\n\n",
    'id: 0\ndata: {"message":"one: two"}\n\n',
    ": keep-alive\n\n",
    "id: 1\r\ndata: ü 𝒳\r\ndata: more\r\n\r\n",
    "event: end\ndata: {}\n\n",
  ].join("");
  const events = [
    { id: "0", type: "message", data: '{"message":"one: two"}' },
    { id: "1", type: "message", data: "ü 𝒳\nmore" },
    { id: null, type: "end", data: "{}" },
  ];

  it("are the same wherever the stream is cut", () => {
    for (let first = 0; first <= stream.length; first++) {
      for (let second = first; second <= stream.length; second++) {
        const read = createEventReader();
        const pieces = [stream.slice(0, first), stream.slice(first, second), stream.slice(second)];
        expect(pieces.flatMap(read), `cut at ${first} and ${second}`).toEqual(events);
      }
    }
  });

  it("that are not complete are not told", () => {
    expect(createEventReader()("id: 5\ndata: {}\n")).toEqual([]);
  });
});

describe("inputs", () => {
  const input = (more: Partial<Input>): Input => ({ type: "string", required: true, secret: false, ...more });

  it.each<[string, Partial<Input>, string, unknown]>([
    ["a text", {}, "a", { values: { x: "a" } }],
    ["no text", {}, "", { problems: { x: "x is needed." } }],
    ["a text that is left", { required: false, default: "d" }, "d", { values: {} }],
    ["a text that was emptied", { required: false, default: "d" }, "", { values: { x: "" } }],
    ["a secret that is not given", { required: false, default: "d", secret: true }, "", { values: {} }],
    ["a number, not rounded", { type: "number" }, "12345678901234567890", { values: { x: "12345678901234567890" } }],
    ["no number", { type: "number" }, "abc", { problems: { x: "x is not a number." } }],
    ["another type", { type: "number" }, '"1"', { problems: { x: "x is not a number." } }],
    ["a number that was emptied", { type: "number", required: false, default: 3 }, "", { values: {} }],
    ["a switch", { type: "boolean" }, "false", { values: { x: false } }],
    ["JSON", { type: "json" }, '{"a":[1]}', { values: { x: { a: [1] } } }],
    ["no JSON", { type: "json" }, "a", { problems: { x: "x is not JSON: texts need quotation marks." } }],
    ["a choice", { type: "number", enum: [1, 2] }, "2", { values: { x: "2" } }],
  ])("%s", (_, more, text, expected) => {
    expect(readInputs({ x: input(more) }, { x: text })).toEqual(expected);
  });

  it.each<[Partial<Input>, string]>([
    [{}, ""],
    [{ default: "a" }, "a"],
    [{ default: "a", secret: true }, ""],
    [{ type: "number", default: 3 }, "3"],
    [{ type: "boolean" }, "false"],
    [{ type: "json", default: "a" }, '"a"'],
    [{ type: "json", default: { a: 1 } }, '{\n  "a": 1\n}'],
  ])("begin with their defaults: %j", (more, text) => expect(initialText(input(more))).toBe(text));
});

describe("the states of tasks", () => {
  const base = { level: "info", execution: "x", message: "" } as const;
  const at = (second: number) => ({ ...base, time: new Date(second * 1000).toISOString() });
  const started = (task: string, second: number): ApiRunEvent => ({ ...at(second), event: "task.started", task });
  const ended = (task: string, second: number, status: "success" | "failed"): ApiRunEvent => {
    return { ...at(second), event: "task.finished", task, status };
  };

  it("are those of their last events, and items count for their task", () => {
    const states = addEvents(new Map(), [
      started("a", 1),
      { ...at(2), event: "task.retried", task: "a" },
      ended("a", 3, "failed"),
      started("list", 3),
      started("list[0]", 3),
      started("list[1]", 3),
      ended("list[0]", 4, "failed"),
      started("child[0]/b", 5),
      ended("child[0]/b", 6, "success"),
      started("child[1]/b", 6),
    ]);
    const shown = [...statesOfGraph(states)].map(([name, { status, attempts, items }]) => [
      name,
      status,
      attempts,
      items,
    ]);
    expect(shown).toEqual([
      ["a", "failed", 2, null],
      ["list", "running", 1, { ended: 1, failed: 1, all: 2 }],
      ["child/b", "running", 1, null],
    ]);
  });

  it("begin again where a run goes on after it was cut off", () => {
    const before = addEvents(new Map(), [started("a", 1), ended("a", 2, "success"), started("b", 3)]);
    const after = addEvents(before, [{ ...at(9), event: "run.started" }]);
    expect([...after].map(([name, { status }]) => [name, status])).toEqual([["a", "success"]]);
  });

  it("keep the duration of a task that had ended before its run was resumed", () => {
    const before = addEvents(new Map(), [started("a", 1), ended("a", 2, "success")]);
    const after = addEvents(before, [{ ...at(8), event: "run.started" }, ended("a", 9, "success")]);
    const [state] = after.values();
    expect(state && durationOf(state, 0)).toBe(1000);
  });

  it("have the outputs of the last event", () => {
    const end: ApiRunEvent = {
      ...at(9),
      event: "run.finished",
      status: "success",
      durationMs: 1,
      masked: {},
      tasks: { a: { status: "success", output: { n: 1 } } },
    };
    expect(addEvents(new Map(), [started("a", 1), end]).get("a")).toMatchObject({
      status: "success",
      output: { n: 1 },
    });
  });
});

describe("what a check of the audit log has found", () => {
  const whole: ApiAuditReport = {
    records: 12,
    first: 1,
    last: 12,
    authenticated: 12,
    uncovered: 0,
    anchoredAt: 12,
    lost: 0,
    problem: null,
  };

  it.each<[string, Partial<ApiAuditReport>, RegExp]>([
    ["nothing", {}, /^The log is as it was written: 12 records, 1 to 12, and none was changed, removed or put in\.$/],
    ["no record", { records: 0, first: null, last: null }, /^The log has no records yet\.$/],
    [
      "one that was changed",
      { problem: { seq: 5, until: 5, reason: "it was changed" } },
      /not as it was written\. Record 5: it was changed\. Keep a copy/,
    ],
    ["one of several", { problem: { seq: 5, until: 9, reason: "x" } }, /One of the records 5 to 9: x\./],
    ["some that are lost", { lost: 3 }, /written: .* 3 records from before are lost/],
    ["some without the key", { uncovered: 1 }, /written: .* 1 record at the end were written without the key/],
    ["an end without an anchor", { anchoredAt: 10 }, /written: .* Records after 10 could have been cut off/],
  ])("%s", (_, more, text) => expect(describeReport({ ...whole, ...more }).join(" ")).toMatch(text));
});
