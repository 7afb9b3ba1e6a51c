import { describe, expect, it } from "vitest";
import { importedApiKey } from "../../src/import/import-entry.ts";
import { readJson } from "../../src/import/read-json.ts";

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
    ["1.10", "Put the number in quotes, to keep all its digits"],
    ["12345678901234567890", "Put the number in quotes, to keep all its digits"],
    ["1e400", "Put the number in quotes, to keep all its digits"],
    ["null", "The value is not a text"],
    [`["${CANARY}"]`, "The value is not a text"],
    [`{"a": "${CANARY}"}`, "The value is not a text"],
  ])("reports %s by its name", (value, reason) => {
    expect(readJson(`{"A": ${value}}`)).toEqual([{ name: "A", reason }]);
  });

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
      'type: Invalid option: expected one of "apiKey"|"basicAuth"|"bearerToken"|"oauth"…',
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
      "a rounded number",
      '{"name": "A", "type": "custom", "fields": {"id": 12345678901234567890}}',
      "A",
      "fields: has a number with too many digits: put it in quotes",
    ],
    [
      "two wrong things",
      `{"name": "A", "type": "apiKey", "fields": {}, "tags": [""], "expiresAt": "${CANARY}"}`,
      "A",
      "tags.0: must not be empty; expiresAt: must be ISO 8601, or milliseconds since 1970",
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
  it.each([
    ["no JSON", `{"A": "${CANARY}"`, "What is to be imported is not JSON"],
    ["a bare value", CANARY, "What is to be imported is not JSON"],
    ["a depth of a million", "[".repeat(1e6), "What is to be imported is not JSON"],
    ["nothing", "", "What is to be imported is not JSON"],
    ["a text", `"${CANARY}"`, "The JSON to import is neither an object nor an array"],
    ["null", "null", "The JSON to import is neither an object nor an array"],
  ])("refuses %s without repeating it", (_what, text, message) => {
    expect(() => readJson(text)).toThrow(expect.objectContaining({ code: "VALUE_INVALID", message }));
  });
});
