import { z } from "@autokestra/secrets-core/internal";
import { describe, expect, it } from "vitest";
import {
  type CallReport,
  configurationSchema,
  defineProvider,
  findProvider,
  openProvider,
  PROVIDER_TYPES,
} from "../src/index.ts";

const notes = defineProvider({
  type: "notes",
  options: z.strictObject({ text: z.string() }),
  create: ({ text }, { id }) => ({
    id,
    type: "notes",
    capabilities: { versions: false, leases: false },
    lookup: async ({ path }) => await Promise.resolve({ status: "found", secret: { value: `${text} ${path}` } }),
    check: async () => await Promise.resolve({ status: "found", secret: {} }),
    close: async () => await Promise.resolve(),
  }),
});

describe("openProvider", () => {
  it("makes a provider and its source of what is configured", async () => {
    const calls: CallReport[] = [];
    const configuration = {
      type: "notes",
      text: "t",
      path: "apps/{name}",
      onUnavailable: "fail",
      onDenied: "fallback",
    };
    const { provider, source, hasPath } = openProvider(notes, configuration, {
      id: "n",
      env: {},
      onCall: (call) => calls.push(call),
    });
    expect([provider.id, source.id, hasPath, source.policy]).toEqual([
      "n",
      "n",
      true,
      { onUnavailable: "fail", onDenied: "fallback" },
    ]);
    expect(await source.lookup("DB" as never)).toMatchObject({ secret: { fields: { value: "t apps/DB" } } });
    expect(calls.length).toBe(1);
    expect(openProvider(notes, { text: "t" }, { id: "n", env: {} }).hasPath).toBe(false);
  });

  it.each([
    [{ text: 1 }, "The provider 'n' cannot be used: text: Invalid input: expected string, received number"],
    [{ text: "t", tokn: "canary" }, "The provider 'n' cannot be used: Unrecognized key: \"tokn\""],
    [
      { text: "t", timeoutSeconds: 0 },
      "The provider 'n' cannot be used: timeoutSeconds: Too small: expected number to be >0",
    ],
  ])("refuses %o", (configuration, message) => {
    expect(() => openProvider(notes, configuration, { id: "n", env: {} })).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID", message }),
    );
  });
});

describe("configurationSchema", () => {
  it("has the type, the options of the source, and those of the provider", () => {
    expect(z.toJSONSchema(configurationSchema(notes), { io: "input" })).toMatchObject({
      required: ["type", "text"],
      additionalProperties: false,
      properties: { type: { const: "notes" }, path: { type: "string" }, text: { type: "string" } },
    });
  });

  it.each(Object.keys(PROVIDER_TYPES))("can be written as JSON Schema: %s", async (type) => {
    const definition = await findProvider(type);
    expect(definition.type).toBe(type);
    const shared = Object.keys(configurationSchema(notes).shape).filter((key) => key !== "text");
    expect(Object.keys(definition.options.shape).filter((key) => shared.includes(key))).toEqual([]);
    expect(z.toJSONSchema(configurationSchema(definition), { io: "input" })).toMatchObject({ type: "object" });
  });
});

describe("findProvider", () => {
  it("knows the types that come along, and those of other packages", async () => {
    expect((await findProvider("http")).type).toBe("http");
    const packages = { "my-notes": { notes, helper: () => 1, text: "t", nothing: null }, odd: null };
    expect(await findProvider("notes", packages)).toBe(notes);
  });

  it.each(["notes", "toString", "__proto__"])("names the types where there is none: %s", async (type) => {
    await expect(findProvider(type, { x: { a: { type, options: {}, create: 1 } } })).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: `There is no provider of type '${type}'`,
      hint: `Types: ${Object.keys(PROVIDER_TYPES).toSorted().join(", ")}.`,
    });
  });
});
