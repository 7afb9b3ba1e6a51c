import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AllowChange, hasCode, parseSecretName } from "../src/index.ts";
import {
  ALLOW_RULES,
  allowedTaskTypes,
  allowsTaskType,
  changePolicy,
  parsePolicy,
  readPolicy,
} from "../src/secret-policy.ts";

const A = parseSecretName("A");

describe("changePolicy", () => {
  it.each<[string, string | null, AllowChange | null, string | null]>([
    ["no rule", null, {}, null],
    ["one", null, { workflows: ["deploy"] }, '{"workflows":["deploy"]}'],
    [
      "sorted, once, in the order of the rules",
      null,
      { hosts: ["B.x", "a.x", "b.x"], workflows: ["b", "a"] },
      '{"workflows":["a","b"],"hosts":["a.x","b.x"]}',
    ],
    [
      "replaces its own list alone",
      '{"workflows":["a"],"hosts":["x"]}',
      { workflows: ["b"] },
      '{"workflows":["b"],"hosts":["x"]}',
    ],
    ["an empty list removes a rule", '{"workflows":["a"],"hosts":["x"]}', { hosts: [] }, '{"workflows":["a"]}'],
    ["the last rule", '{"hosts":["x"]}', { hosts: [] }, null],
    ["undefined keeps", '{"hosts":["x"]}', { hosts: undefined }, '{"hosts":["x"]}'],
    ["null removes all", '{"workflows":["a"],"hosts":["x"]}', null, null],
    [
      "all lists replace what cannot be read",
      '{"days":["mon"]}',
      { workflows: ["a"], taskTypes: [], hosts: [] },
      '{"workflows":["a"]}',
    ],
    ["null removes what cannot be read", '{"days":["mon"]}', null, null],
  ])("%s", (_, stored, change, expected) => expect(changePolicy(A, stored, change)).toBe(expected));

  const BAD: Readonly<Record<string, readonly string[]>> = {
    workflows: ["", "a b", "a/b", "*", "__proto__", "a".repeat(256), "a\n"],
    taskTypes: [
      "",
      "*",
      "core",
      "core/http",
      "core/*",
      "core/http.",
      "core/http.get.x",
      "core/http.g*",
      "Core/http.get",
      "core/http.*\n",
    ],
    hosts: [
      "",
      "*",
      "*.",
      "**.x",
      "a.*.x",
      "https://x",
      "x/path",
      "u:p@x",
      "x:0",
      "x:65536",
      "x:",
      "x y",
      "x..y",
      "[::1",
      "[]",
      ":80",
      "x\n",
      "x,y",
      `${"a".repeat(260)}.x`,
    ],
  };
  it.each(Object.entries(BAD).flatMap(([rule, items]) => items.map((item) => [rule, item] as const)))(
    "refuses in %s: %j, without repeating it",
    (rule, item) => {
      const attempt = () => changePolicy(A, null, { [rule]: ["fine", item].slice(rule === "taskTypes" ? 1 : 0) });
      expect(attempt).toThrowError(expect.objectContaining({ code: "VALUE_INVALID" }));
      if (item.length > 3) expect(attempt).not.toThrowError(item);
    },
  );

  it.each(["x", "api.example.com", "*.example.com:8443", "bücher.example", "[::1]:80", "127.0.0.1:65535", "x."])(
    "takes the host %s",
    (host) => expect(changePolicy(A, null, { hosts: [host] })).toBe(JSON.stringify({ hosts: [host] })),
  );

  it("refuses more than 100 of one kind", () => {
    const workflows = Array.from({ length: 101 }, (_, index) => `w${index}`);
    expect(() => changePolicy(A, null, { workflows })).toThrowError("at most 100");
    expect(changePolicy(A, null, { workflows: workflows.slice(1) })).not.toBe(null);
  });

  it("writes what parsePolicy reads, and changes nothing the second time", () => {
    const items = (text: fc.Arbitrary<string>) => fc.option(fc.array(text, { maxLength: 4 }), { nil: undefined });
    const word = fc.stringMatching(/^[a-z][a-z0-9-]{0,5}$/);
    const change = fc.record({
      workflows: items(word),
      taskTypes: items(fc.tuple(word, word, fc.oneof(word, fc.constant("*"))).map(([a, b, c]) => `${a}/${b}.${c}`)),
      hosts: items(
        fc
          .tuple(fc.boolean(), word, fc.option(fc.integer({ min: 1, max: 65535 })))
          .map(([all, name, port]) => `${all ? "*." : ""}${name}${port === null ? "" : `:${port}`}`),
      ),
    });
    fc.assert(
      fc.property(change, (given) => {
        const policy = changePolicy(A, null, given);
        const read = readPolicy("A", policy);
        for (const rule of ALLOW_RULES) expect(new Set(read[rule])).toEqual(new Set(given[rule] ?? []));
        expect(changePolicy(A, policy, given)).toBe(policy);
        expect(changePolicy(A, policy, {})).toBe(policy);
      }),
    );
  });
});

describe("a policy that cannot be read", () => {
  it.each([
    "",
    "{",
    "null",
    "[]",
    '"x"',
    "{}x",
    '{"workflows":"deploy"}',
    '{"workflows":[]}',
    '{"workflows":[1]}',
    '{"workflows":["a b"]}',
    '{"days":["mon"]}',
    '{"workflows":["a"],"until":1}',
    '{"__proto__":["a"]}',
  ])("%s allows nobody", (policy) => {
    expect(parsePolicy(policy)).toBe(null);
    expect(() => readPolicy("A", policy)).toThrowError(expect.objectContaining({ code: "STORE_TOO_NEW" }));
    expect(() => changePolicy(A, policy, { workflows: ["a"] })).toThrowError("cannot be read");
  });

  it("is a problem and never an exception, whatever it is", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        try {
          readPolicy("A", text);
        } catch (error) {
          expect(hasCode(error, "STORE_TOO_NEW")).toBe(true);
        }
      }),
    );
  });
});

it.each<[AllowChange, string, boolean]>([
  [{}, "any/thing.at-all", true],
  [{ taskTypes: ["core/http.*"] }, "core/http.get", true],
  [{ taskTypes: ["core/http.*"] }, "core/httpx.get", false],
  [{ taskTypes: ["core/http.*"] }, "acme/core/http.get", false],
  [{ taskTypes: ["core/http.get"] }, "core/http.request", false],
  [{ hosts: ["x"] }, "core/http.request", true],
  [{ hosts: ["x"] }, "core/console.log", false],
  [{ hosts: ["x"], taskTypes: ["acme/q.send"] }, "acme/q.send", true],
  [{ hosts: ["x"], taskTypes: ["acme/q.send"] }, "core/http.get", false],
  [{ workflows: ["w"] }, "core/console.log", true],
])("%j allows a task of type %s: %s", (allow, type, allowed) => {
  const types = allowedTaskTypes(readPolicy("A", changePolicy(A, null, allow)));
  expect(allowsTaskType(types, type)).toBe(allowed);
});
