import { describe, expect, it } from "vitest";
import { defineAction, definePlugin, z } from "../src/index.ts";

const action = defineAction({ input: z.strictObject({}), run: () => undefined });

it("gives each action its type in a workflow", () => {
  const { name, actions } = definePlugin({ name: "acme/mail-2", actions: { send: action, "list-all": action } });
  expect(name).toBe("acme/mail-2");
  expect([...actions]).toEqual([
    ["acme/mail-2.send", action],
    ["acme/mail-2.list-all", action],
  ]);
});

describe("refuses", () => {
  it.each([
    "",
    "http",
    "core/",
    "/http",
    "core/http/x",
    "Core/http",
    "core/http.get",
    "@acme/mail",
    "core/http\n",
    "core /x",
    "../x",
  ])("the plugin name %j", (name) => {
    expect(() => definePlugin({ name, actions: { send: action } })).toThrow(
      /^Invalid plugin name '.*': write namespace\/plugin/s,
    );
  });

  it.each(["", "Send", "send.all", "send_all", "@send", "send\n", "a b"])("the action name %j", (name) => {
    expect(() => definePlugin({ name: "acme/mail", actions: { [name]: action } })).toThrow(
      `Invalid action name '${name}' in plugin 'acme/mail'`,
    );
  });

  it("no actions", () => {
    expect(() => definePlugin({ name: "acme/mail", actions: {} })).toThrow("Plugin 'acme/mail' has no actions");
  });
});
