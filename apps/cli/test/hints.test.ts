import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSandbox, type Sandbox } from "./run-cli.ts";

let box: Sandbox;

beforeAll(async () => {
  box = createSandbox();
  for (const name of ["TOKEN", "GONE"]) await box.ak(["secrets", "set", name], { input: "a value" });
  await box.ak(["secrets", "delete", "GONE", "--force"]);
});
afterAll(() => box.remove());

async function hintOf(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const { stdout, stderr } = await box.ak(args, { env });
  return /^hint: (.*)$/m.exec(`${stdout}${stderr}`)?.[1] ?? "";
}

describe("KP7: hints know what was tried", () => {
  it.each<[string, NodeJS.ProcessEnv, readonly string[], string]>([
    [
      "AWS_SECRET_ACCESS_KEY",
      { AWS_SECRET_ACCESS_KEY: "v" },
      [],
      "The variable AWS_SECRET_ACCESS_KEY is set, and is never taken as a secret: names that begin with AWS_ belong to other programs.",
    ],
    [
      "TOKN",
      {},
      [],
      "'TOKN' is not stored: did you mean 'TOKEN'? The environment has no variable TOKN and no TOKN_FILE.",
    ],
    [
      "token",
      {},
      [],
      "'token' is not stored: did you mean 'TOKEN'? The environment has no variable token and no token_FILE.",
    ],
    ["OTHER", { OTHER: "v" }, ["--no-env"], "The environment was not searched (--no-env)."],
  ])("declared %s, with %j and %j", async (name, env, options, expected) => {
    const workflow = `apiVersion: v1\nid: w\nsecrets: [${name}]\ntasks: [{ id: a, type: core/console.log, inputs: { message: "{{ secrets.${name} }}" } }]\n`;
    writeFileSync(join(box.folder, "w.yaml"), workflow);
    const stored = "`autokestra secrets set NAME` stores one.";
    const looked = / ?Looked in "[^"]*\.workflow\/secrets"\./;
    for (const command of ["run", "check"]) {
      const hint = await hintOf([command, "w.yaml", ...options], env);
      expect(hint.replace(looked, "").trimStart()).toBe(`${expected} ${stored}`);
    }
  });

  it("a deleted secret can be brought back", async () => {
    writeFileSync(
      join(box.folder, "w.yaml"),
      'apiVersion: v1\nid: w\nsecrets: [GONE]\ntasks: [{ id: a, type: core/console.log, inputs: { message: "{{ secrets.GONE }}" } }]\n',
    );
    expect(await hintOf(["run", "w.yaml"])).toMatch(
      /Secret 'GONE' is deleted\. It can be restored until .*`autokestra secrets restore NAME`/,
    );
  });

  it.each([
    [["secrets", "get", "TOKN"]],
    [["secrets", "describe", "token"]],
    [["secrets", "delete", "TOKENS", "--force"]],
    [["secrets", "versions", "TO-KEN"]],
    [["secrets", "edit", "TOKNE", "--tag", "x"]],
  ])("%j: did you mean", async (args) => {
    expect(await hintOf(args)).toMatch(/^Did you mean 'TOKEN'\? Looked in "/);
  });
});
