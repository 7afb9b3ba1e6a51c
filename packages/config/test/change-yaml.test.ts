import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Document, parse, Scalar } from "yaml";
import { changeYaml } from "../src/yaml.ts";

const A_AND_B = [{ path: ["secrets"], names: ["A", "B"], after: "id" }];

describe("changeYaml writes a text", () => {
  it.each([
    ["plain", "k: v # c\n", '{{ x }} "q"', 'k: "{{ x }} \\"q\\"" # c\n'],
    ["single quotes", "k: 'v'   # c\n", "{{ x }}", "k: '{{ x }}'   # c\n"],
    ["single quotes around an apostrophe", "k: 'v'\n", "it's", 'k: "it\'s"\n'],
    ["double quotes", 'k: "v"\n', "a\tb", 'k: "a\\tb"\n'],
    ["a flow map", "k: { a: v, b: w }\n", "{{ x }}", 'k: { a: "{{ x }}", b: w }\n', ["k", "a"]],
    ["a list", "k:\n  # c\n  - v\n  - w\n", "{{ x }}", 'k:\n  # c\n  - "{{ x }}"\n  - w\n', ["k", 0]],
    [
      "a block",
      "k:\n  a: |\n    v\n    w\n\n  b: x\n",
      "{{ x }}\nw\n",
      "k:\n  a: |\n    {{ x }}\n    w\n\n  b: x\n",
      ["k", "a"],
    ],
    ["a block of spaces", "k: |-\n  v\nl: x\n", " ", 'k: " "\nl: x\n'],
    ["JSON", '{"k":"v","l":[1.0]}', "{{ x }}", '{"k":"{{ x }}","l":[1.0]}'],
    ["CRLF", "k: v\r\nl: w\r\n", "{{ x }}", 'k: "{{ x }}"\r\nl: w\r\n'],
  ])("in %s", (_, source, text, expected, path: (string | number)[] = ["k"]) => {
    expect(changeYaml(source, [{ path, text }])).toBe(expected);
  });

  it.each([
    ["behind an alias", "a: &x v\nk: *x\n", ["k"]],
    ["an anchor that others use", "k: &x v\na: *x\n", ["k"]],
    ["of a key that is not there", "a: v\n", ["k"]],
    ["of a map", "k: { a: v }\n", ["k"]],
  ])("and refuses one %s", (_, source, path) => {
    expect(changeYaml(source, [{ path, text: "t" }])).toBeNull();
  });

  it("whatever the other texts, and leaves every other line as it is", () => {
    const text = fc.string({ unit: "grapheme", maxLength: 40 });
    const file = fc.record({ before: text, lines: fc.array(text), k: text, after: text });
    const style = fc.constantFrom<Scalar.Type[]>(
      "PLAIN",
      "QUOTE_SINGLE",
      "QUOTE_DOUBLE",
      "BLOCK_LITERAL",
      "BLOCK_FOLDED",
    );
    fc.assert(
      fc.property(file, text, style, fc.boolean(), (data, changed, type, flow) => {
        const document = new Document({ id: "demo", ...data });
        const scalar = new Scalar(data.k);
        scalar.type = type;
        document.set("k", scalar);
        document.commentBefore = " the first line";
        const source = document.toString({ collectionStyle: flow ? "flow" : "block" });
        const result = changeYaml(source, [{ path: ["k"], text: changed }], A_AND_B);
        expect(parse(result ?? "{}")).toEqual({ ...parse(source), k: changed, secrets: ["A", "B"] });
        expect(result?.startsWith("# the first line\n")).toBe(true);
      }),
    );
  });
});

describe("changeYaml adds names", () => {
  it.each([
    ["to a new list", "id: demo # c\n\ntasks: []\n", "id: demo # c\nsecrets: [A, B]\n\ntasks: []\n"],
    ["to a flow list", "id: demo\nsecrets: [X] # c\n", "id: demo\nsecrets: [X, A, B] # c\n"],
    ["behind a last comma", "id: demo\nsecrets: [X, ]\n", "id: demo\nsecrets: [X, A, B, ]\n"],
    ["to an empty list", "id: demo\nsecrets: []\n", "id: demo\nsecrets: [A, B]\n"],
    [
      "to a list of lines",
      "id: demo\nsecrets:\n  - X # c\n# d\n",
      "id: demo\nsecrets:\n  - X # c\n  - A\n  - B\n# d\n",
    ],
    ["at the end of a file", "secrets:\n- X\nid: demo", "secrets:\n- X\n- A\n- B\nid: demo"],
    ["behind the last line", "tasks: []\nid: demo", "tasks: []\nid: demo\nsecrets: [A, B]"],
    ["with CRLF", "id: demo\r\ntasks: []\r\n", "id: demo\r\nsecrets: [A, B]\r\ntasks: []\r\n"],
    ["to JSON", '{"id":"demo","tasks":[]}', '{"id":"demo", "secrets": ["A","B"],"tasks":[]}'],
    ["to a list in JSON", '{"id":"demo","secrets":["X"]}', '{"id":"demo","secrets":["X", "A", "B"]}'],
    ["to nothing else", "id: demo\nsecrets: []\nx: []\n", "id: demo\nsecrets: [A, B]\nx: []\n"],
    ["to an empty list in JSON", '{"id":"demo","secrets":[]}', '{"id":"demo","secrets":["A", "B"]}'],
  ])("%s", (_, source, expected) => expect(changeYaml(source, [], A_AND_B)).toBe(expected));

  it("to a list in another", () => {
    const list = { path: ["tasks", 1, "secrets"], names: ["A"] };
    const source = "tasks:\n  - secrets: [X]\n  - secrets: [Y] # c\n";
    expect(changeYaml(source, [], [list])).toBe("tasks:\n  - secrets: [X]\n  - secrets: [Y, A] # c\n");
    expect(changeYaml("tasks: [{}, {}]\n", [], [list])).toBeNull();
  });

  it.each([
    ["a list behind an alias", "x: &x [X]\nid: demo\nsecrets: *x\n"],
    ["a file without the key before", "tasks: []\n"],
    ["a list that is not one", "id: demo\nsecrets: X\n"],
  ])("and refuses %s", (_, source) => expect(changeYaml(source, [], A_AND_B)).toBeNull());
});
