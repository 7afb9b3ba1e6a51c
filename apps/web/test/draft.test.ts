import { SECRET_TYPES, type SecretType } from "@autokestra/secrets-core";
import { fieldRules } from "@autokestra/secrets-core/internal";
import { describe, expect, it } from "vitest";
import { changeOf, type Draft, draftOf, EMPTY_DRAFT, newSecretOf, treatableFields } from "../src/secrets/draft.ts";
import { TYPE_NAMES, TYPES } from "../src/secrets/types.ts";

describe("the types of secrets", () => {
  it("are those of the server", () => {
    expect(TYPE_NAMES).toEqual(SECRET_TYPES);
  });

  it.each(SECRET_TYPES)("%s has the fields that the server takes", (type: SecretType) => {
    const taken = fieldRules(type).map(({ name, isRequired }) => ({ name, isRequired }));
    expect(TYPES[type].fields.map(({ name, isRequired = false }) => ({ name, isRequired }))).toEqual(taken);
  });
});

describe("what is sent of a new secret", () => {
  it.each<[string, Partial<Draft>, object]>([
    ["only what was typed", { values: { value: " v " } }, { type: "apiKey", fields: { value: " v " } }],
    [
      "tags, expiry and rules",
      { values: { value: "v" }, tags: " a, b ,", expiresOn: "2031-01-31", workflows: "deploy" },
      {
        type: "apiKey",
        fields: { value: "v" },
        tags: ["a", "b"],
        expiresAt: "2031-01-31",
        allow: { workflows: ["deploy"], taskTypes: [], hosts: [] },
      },
    ],
    [
      "a user without a password",
      { type: "basicAuth", values: { username: "ada" }, hasNoPassword: true, treatments: { username: "public" } },
      {
        type: "basicAuth",
        fields: { username: "ada", password: "" },
        allowEmpty: true,
        publicFields: ["username"],
        maskFields: [],
      },
    ],
    [
      "fields of its own, whose treatment is forgotten with them",
      { type: "custom", custom: [{ name: "host", value: "h" }], treatments: { host: "public", gone: "public" } },
      { type: "custom", fields: { host: "h" }, publicFields: ["host"], maskFields: [] },
    ],
  ])("%s", (_, part, expected) => {
    expect(newSecretOf({ ...EMPTY_DRAFT, name: "A", ...part })).toEqual({ name: "A", ...expected });
  });
});

describe("what is sent of a change", () => {
  const before = draftOf(
    {
      id: "1b671a64-40d5-491e-99b0-da01ff1f3341",
      name: "A",
      type: "basicAuth",
      description: "old",
      tags: ["a"],
      version: 1,
      createdAt: "2026-01-01T00:00:00.000Z",
      updatedAt: "2026-01-01T00:00:00.000Z",
      expiresAt: "2027-01-31T00:00:00.000Z",
      allow: { workflows: ["deploy"], taskTypes: [], hosts: [] },
    },
    [
      { name: "username", public: false, masked: true },
      { name: "password", public: false, masked: true },
    ],
  );

  it("begins with what is stored", () => {
    expect(before).toMatchObject({
      expiresOn: "2027-01-31",
      tags: "a",
      workflows: "deploy",
      treatments: { username: "masked" },
    });
    expect(treatableFields(before).map(({ name }) => name)).toEqual(["username"]);
  });

  it.each<[string, Partial<Draft>, object]>([
    ["nothing", {}, {}],
    ["another name", { name: "B" }, { name: "B" }],
    [
      "no description, expiry and rules any more",
      { description: " ", expiresOn: "", workflows: "" },
      { description: null, expiresAt: null, allow: null },
    ],
    ["how a field is treated", { treatments: {} }, { publicFields: [], maskFields: [] }],
    [
      "values",
      { replacesValues: true, values: { username: "u", password: "p" } },
      { fields: { username: "u", password: "p" } },
    ],
  ])("%s", (_, part, expected) => {
    expect(changeOf(before, { ...before, ...part })).toEqual(expected);
  });
});
