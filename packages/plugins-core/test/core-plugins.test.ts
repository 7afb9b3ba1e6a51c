import { z } from "@autokestra/plugin-sdk";
import { expect, it } from "vitest";
import { consolePlugin, corePlugins, httpPlugin, shellPlugin } from "../src/index.ts";

it("has the actions of the contract, by their types", () => {
  expect(corePlugins).toEqual([httpPlugin, consolePlugin, shellPlugin]);
  expect(corePlugins.flatMap((plugin) => [...plugin.actions.keys()])).toEqual([
    "core/http.request",
    "core/http.get",
    "core/console.log",
    "core/shell.run",
  ]);
});

it.each(corePlugins.flatMap((plugin) => [...plugin.actions]))(
  "%s can be documented: its schemas become JSON Schema",
  (_, action) => {
    expect(z.toJSONSchema(action.input, { io: "input" })).toMatchObject({
      type: "object",
      additionalProperties: false,
    });
    expect(action.description).toMatch(/\.$/);
  },
);
