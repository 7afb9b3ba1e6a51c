import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSandbox, type Sandbox } from "./run-cli.ts";

let box: Sandbox;

beforeAll(async () => {
  box = createSandbox();
  await box.ak(["secrets", "set", "A"], { input: "the value" });
});
afterAll(() => box.remove());

describe("synonyms of commands and options", () => {
  it.each([
    ["secrets ls", "A\tapiKey"],
    ["secret list", "A\tapiKey"],
    ["secrets show A", "the value"],
    ["secrets cat A", "the value"],
    ["secrets info A", "name\tA"],
    ["secrets history A", "1\tapiKey"],
    ["keys ls", "default"],
    ["runs ls", ""],
  ])("%s", async (command, expected) => {
    const { code, stdout } = await box.ak(command.split(" "));
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining(expected) });
  });

  it.each([["-f"], ["-y"], ["--yes"], ["--force"]])("secrets add, mv and rm with %s", async (option) => {
    expect((await box.ak(["secrets", "add", "B"], { input: "another" })).code).toBe(0);
    expect((await box.ak(["secrets", "mv", "B", "C"])).code).toBe(0);
    expect((await box.ak(["secrets", "rm", "C", option])).code).toBe(0);
  });

  it.each([
    ["get A", "Did you mean `autokestra secrets get`?"],
    ["set A", "Did you mean `autokestra secrets set`?"],
    [
      "list",
      "Did you mean `autokestra runs list` or `autokestra secrets list` or `autokestra keys list` or `autokestra tokens list` or `autokestra audit list`?",
    ],
    ["secrets lst", "Did you mean list?"],
    ["chek w.yaml", "Did you mean check?"],
    ["secrets frobnicate", "`--help` shows its usage."],
  ])("%s is no command", async (command, hint) => {
    const { code, stderr } = await box.ak(command.split(" "));
    expect(code).toBe(2);
    expect(stderr).toContain(`hint: ${hint}\n`);
  });
});
