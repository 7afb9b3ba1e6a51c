import { describe, expect, it } from "vitest";
import { importedApiKey } from "../../src/import/entries.ts";
import { readJson } from "../../src/import/json.ts";

const CANARY = "canary-91be";

describe("readJson with an object", () => {
  it("makes an apiKey of each text, whole number, true and false", () => {
    expect(readJson('{"A": "x\\ny", "B": 5432, "C": true, "D": ""}')).toEqual([
      importedApiKey("A", "x\ny"),
      importedApiKey("B", "5432"),
      importedApiKey("C", "true"),
      importedApiKey("D", ""),
    ]);
  });

  it.each([
    ["null", "The value is not a text"],
    [`["${CANARY}"]`, "The value is not a text"],
    [`{"a": "${CANARY}"}`, "The value is not a text"],
  ])("reports %s by its name", (value, reason) => {
    expect(readJson(`{"A": ${value}}`)).toEqual([{ name: "A", reason }]);
  });

  it.each(["1.0", "1.10", "1e3", "12345678901234567890", "1e400", "-0", "0.10000000000000000001"])(
    "KD2: keeps the text of %s, with a note",
    (number) => {
      const message = "it is kept as text, because the number would be written differently";
      expect(readJson(`{"V": ${number}}`)).toEqual([importedApiKey("V", number, { warnings: [message] })]);
      const entry = { name: "T", createdAt: null, updatedAt: null };
      const warnings = [message.replace("it is", "field v is")];
      expect(readJson(`[{"name": "T", "type": "custom", "fields": {"v": ${number}, "n": 7}}]`)).toEqual([
        { ...entry, type: "custom", fields: { v: number, n: 7 }, warnings },
      ]);
    },
  );

  it("takes __proto__ for a name like another, for the plan to refuse", () => {
    expect(readJson(`{"__proto__": "${CANARY}"}`)).toEqual([importedApiKey("__proto__", CANARY)]);
    expect(readJson('{"__proto__": {"polluted": 1}}')).toEqual([
      { name: "__proto__", reason: "The value is not a text" },
    ]);
    expect(Object.prototype).not.toHaveProperty("polluted");
  });
});

describe("readJson with an array", () => {
  it("keeps all that an entry says", () => {
    const full = {
      name: "DB",
      type: "basicAuth",
      fields: { username: "u", password: "p" },
      description: "one line",
      tags: ["prod"],
      expiresAt: "2027-01-31",
    };
    const least = { name: "B", type: "custom", fields: { port: 5432, on: true, ratio: 0.5 } };
    const cleared = { ...least, description: null, expiresAt: null };
    const times = { createdAt: null, updatedAt: null };
    expect(readJson(JSON.stringify([full, least, cleared]))).toEqual([
      { ...full, ...times },
      { ...least, ...times },
      { ...cleared, ...times },
    ]);
  });

  it.each([
    ["no object", `"${CANARY}"`, "entry 2", "Invalid input: expected object, received string"],
    [
      "no name",
      `{"type": "apiKey", "fields": {}}`,
      "entry 2",
      "name: Invalid input: expected string, received undefined",
    ],
    [
      "another type",
      `{"name": "A", "type": "${CANARY}", "fields": {}}`,
      "A",
      "type: must be apiKey, basicAuth, bearerToken, oauth, custom",
    ],
    ["no type", '{"name": "A", "fields": {}}', "A", "type: must be apiKey, basicAuth, bearerToken, oauth, custom"],
    [
      "a mistyped type",
      '{"name": "A", "type": "basic_aut", "fields": {}}',
      "A",
      "type: is not known: did you mean basicAuth?",
    ],
    ["no fields", `{"name": "A", "type": "apiKey", "fields": "${CANARY}"}`, "A", "fields: must be an object"],
    ["null for fields", '{"name": "A", "type": "apiKey", "fields": null}', "A", "fields: must be an object"],
    ["a list of fields", `{"name": "A", "type": "apiKey", "fields": ["${CANARY}"]}`, "A", "fields: must be an object"],
    [
      "a value in the wrong place",
      `{"name": "A", "type": "apiKey", "fields": {}, "value": "${CANARY}"}`,
      "A",
      'Unrecognized key: "value"',
    ],
    [
      "a field __proto__",
      `{"name": "A", "type": "custom", "fields": {"a": "b", "__proto__": "${CANARY}"}}`,
      "A",
      "fields: must not have a field __proto__",
    ],
    [
      "a key __proto__",
      `{"name": "A", "type": "custom", "fields": {"a": "b"}, "__proto__": {"polluted": 1}}`,
      "A",
      'Unrecognized key: "__proto__"',
    ],
    [
      "a number for a name",
      '{"name": 1.0, "type": "custom", "fields": {"a": "b"}}',
      "entry 2",
      "name: Invalid input: expected string, received LosslessNumber",
    ],
    ["a number for fields", '{"name": "A", "type": "custom", "fields": 1.0}', "A", "fields: must be an object"],
    [
      "two wrong things",
      `{"name": "A", "type": "apiKey", "fields": {}, "tags": [""], "expiresAt": "${CANARY}"}`,
      "A",
      "tags.0: must not be empty; expiresAt: must be a time, such as 2027-01-31 or 90d",
    ],
    [
      "a description of two lines",
      '{"name": "A", "type": "apiKey", "fields": {}, "description": "a\\nb"}',
      "A",
      "description: must be one line without control characters",
    ],
  ])("reports an entry with %s by its name or place", (_what, entry, name, reason) => {
    const good = '{"name": "GOOD", "type": "apiKey", "fields": {"value": "v"}}';
    expect(readJson(`[${good}, ${entry}]`)).toEqual([importedApiKey("GOOD", "v"), { name, reason }]);
    expect(Object.prototype).not.toHaveProperty("polluted");
  });
});

describe("readJson", () => {
  it("KD2: takes the same key in two objects, and strings that look like keys", () => {
    const names = readJson('[{"name": "A", "type": "custom", "fields": {"name": "{\\"A\\": 1"}}, {"name": "B"}]');
    expect(names.map(({ name }) => name)).toEqual(["A", "B"]);
  });

  it("keeps a nested value of a custom secret as one field, with all digits", () => {
    const nested = '{"a":[1.0,12345678901234567890],"b":null}';
    const [entry] = readJson(`[{"name": "A", "type": "custom", "fields": {"json": ${nested}, "list": ["x"]}}]`);
    expect(entry).toMatchObject({ fields: { json: nested, list: '["x"]' } });
  });

  it("KP13: takes types in any case and with any separator", () => {
    const entries = ["APIKey", "api_key", "BASIC-AUTH", "bearer token", "OAuth"].map((type) => ({ type }));
    const read = readJson(JSON.stringify(entries.map((entry) => ({ ...entry, name: "A", fields: {} }))));
    expect(read).toMatchObject(["apiKey", "apiKey", "basicAuth", "bearerToken", "oauth"].map((type) => ({ type })));
  });

  it("KD2: reads numbers of texts as texts, and of times as times", () => {
    const entry = `{"name": "A", "type": "bearerToken", "fields": {"token": 1234, "expiresAt": 1.7960832e9}, "expiresAt": 18e8}`;
    expect(readJson(`[${entry}]`)).toMatchObject([
      { fields: { token: "1234", expiresAt: 1_796_083_200 }, expiresAt: 1_800_000_000 },
    ]);
  });

  it.each([
    ["no JSON", `{"A":\n "${CANARY}"`, "What is to be imported is not JSON: line 2"],
    ["a bare value", CANARY, "What is to be imported is not JSON: line 1"],
    ["a depth of a million", "[".repeat(1e6), "What is to be imported is not JSON: line 1"],
    ["nothing", "", "What is to be imported is not JSON: line 1"],
    ["a key twice", `{"A": "x",\n"A": "${CANARY}"}`, "What is to be imported has a key twice ('A'): line 2"],
    [
      "a key twice with one value",
      '{"A": "x",\n\n"\\u0041": "x"}',
      "What is to be imported has a key twice ('A'): line 3",
    ],
    [
      "a key twice inside",
      `[{"A": {"b": 1, "b": "${CANARY}"}}]`,
      "What is to be imported has a key twice ('b'): line 1",
    ],
    ["a text", `"${CANARY}"`, "The JSON to import is neither an object nor an array"],
    ["null", "null", "The JSON to import is neither an object nor an array"],
  ])("refuses %s without repeating it", (_what, text, message) => {
    expect(() => readJson(text)).toThrow(expect.objectContaining({ code: "VALUE_INVALID", message }));
  });
});
