import { runAction } from "@autokestra/plugin-sdk/testing";
import { expect, it } from "vitest";
import { logAction } from "../../src/console.ts";

it.each([
  ["text", "two\nlines", "two\nlines"],
  ["empty text", "", ""],
  ["a number", 42, "42"],
  ["null", null, "null"],
  ["false", false, "false"],
  ["an object", { status: 200, tags: ["a", "b"] }, '{"status":200,"tags":["a","b"]}'],
  ["an object with a strange key", JSON.parse('{"__proto__":{"a":1}}'), '{"__proto__":{"a":1}}'],
])("logs %s", async (_, message, expected) => {
  const { lines, output } = await runAction(logAction, { message });
  expect(lines).toEqual([{ level: "info", message: expected }]);
  expect(output).toBeUndefined();
});

it.each(["debug", "info", "warn", "error"])("logs at the level %s", async (level) => {
  const { lines } = await runAction(logAction, { message: "hello", level });
  expect(lines).toEqual([{ level, message: "hello" }]);
});

const cycle: unknown[] = [];
cycle.push(cycle);

it.each([
  ["no message", {}, "message: expected text or a JSON value"],
  ["a cycle", { message: cycle }, "message: expected text or a JSON value"],
  ["a big integer", { message: 10n }, "message: expected text or a JSON value"],
  ["a function", { message: () => "no" }, "message: expected text or a JSON value"],
  ["another level", { message: "", level: "fatal" }, "level: expected one of debug, info, warn, error"],
  ["an unknown key", { message: "", colour: 1 }, "unknown key 'colour'"],
])("refuses %s", async (_, input, problem) => {
  await expect(runAction(logAction, input)).rejects.toThrow(`Invalid input: ${problem}`);
});
