import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { COMMANDS, GLOBAL_OPTIONS, GROUPS } from "../src/commands.ts";

const VERBS =
  /^(Cancel|Change|Check|Copy|Create|Delete|Diagnose|Export|Import|List|Move|Print|Rename|Replace|Restore|Resume|Revoke|Run|Serve|Show|Store|Write)\b/;
/** What an option's description may not begin with. */
const NOT_A_NOUN =
  /^(?:what|which|where|whoever|only|with|the|an?|add|change|delete|do|give|leave|list|print|read|remove|show|skip|use|write)\b/i;
/** A default or a variable. It may stand only in brackets at the end. */
const DEFAULT = /default|\b[A-Z]+_[A-Z_]+\b/;

const loaded = await Promise.all(
  COMMANDS.map(async (entry) => {
    const { path, summary } = entry;
    const { command } = await entry.load();
    const parser = new Command(path);
    command.declare(parser);
    const options = parser.options.map(({ flags, description, defaultValue }) => ({
      flags,
      description,
      defaultValue,
    }));
    const args = parser.registeredArguments.map(({ description }) => description);
    return { path, summary, options, args, examples: command.examples };
  }),
);
const options = [...loaded.flatMap((command) => command.options), ...GLOBAL_OPTIONS];

it.each([...GROUPS, ...loaded])("the help of $path begins with a verb and ends without a full stop", ({ summary }) => {
  expect(summary).toMatch(VERBS);
  expect(summary).not.toMatch(/\.$/);
});

it.each(loaded)("the help of $path ends with two examples of it", ({ path, examples }) => {
  expect(examples.map((example) => example.includes(`autokestra ${path}`))).toEqual([true, true]);
});

describe("what an option or an argument takes", () => {
  const descriptions = [...options.map(({ description }) => description), ...loaded.flatMap(({ args }) => args)];

  it.each([...new Set(descriptions)])("is named by a noun: %s", (description) => {
    expect(description).not.toMatch(NOT_A_NOUN);
    expect(description).not.toMatch(/\.$/);
  });

  it.each(options)("stands in angle brackets, and its default in brackets at the end: $flags", (option) => {
    expect(option.flags).toMatch(/^(?:-\w, )?--[a-z-]+(?: <[a-z=]+>)?$/);
    expect(option.description.replace(/ \[[^\]]+\]$/, "")).not.toMatch(DEFAULT);
    // Commander would print a default of its own in parentheses; `--no-x` has one that it does not print.
    expect("defaultValue" in option && !option.flags.startsWith("--no-") ? option.defaultValue : undefined).toBe(
      undefined,
    );
  });
});
