import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createSandbox, type Sandbox } from "./run-cli.ts";

let box: Sandbox;

beforeEach(() => {
  box = createSandbox();
  const say = (id: string, more = "") =>
    `{ id: ${id}, type: core/console.log, inputs: { message: "{{ secrets.TOKEN }}" }${more} }`;
  const workflow = (tasks: string) => `{ apiVersion: v1, id: w, secrets: [TOKEN], tasks: [${tasks}] }`;
  writeFileSync(join(box.folder, "w.yaml"), workflow(`${say("one")}, ${say("two", ", needs: [one]")}`));
  writeFileSync(join(box.folder, "circle.yaml"), workflow(say("one", ", needs: [one]")));
});

afterEach(() => box.remove());

it("prints the picture alone, without values", async () => {
  await box.ak(["secrets", "set", "TOKEN"], { input: "canary-of-a-token" });
  const mermaid = await box.ak(["check", "w.yaml", "--graph", "mermaid"]);
  expect(mermaid).toEqual({
    code: 0,
    stdout: 'flowchart LR\n  n1["one<br/>core/console.log"]\n  n2["two<br/>core/console.log"]\n  n1 --> n2\n',
    stderr: "",
  });
  const svg = await box.ak(["check", "w.yaml", "--graph", "svg"]);
  expect(svg).toMatchObject({ code: 0, stderr: "", stdout: expect.stringMatching(/^<svg [\s\S]*<\/svg>\n$/) });
  expect(svg.stdout).not.toContain("canary");
});

it("reports problems to standard error, and draws what can be drawn", async () => {
  const missing = await box.ak(["check", "w.yaml", "--graph", "mermaid"]);
  expect(missing).toMatchObject({ code: 1, stdout: expect.stringContaining("n1 --> n2") });
  expect(missing.stderr).toContain("w.yaml: 1 problem\n");
  const circle = await box.ak(["check", "circle.yaml", "--graph", "svg"]);
  expect(circle).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("in a cycle: one -> one") });
});

it.each([
  [["w.yaml", "circle.yaml", "--graph", "svg"], "--graph draws one file"],
  [["w.yaml", "--graph", "svg", "--format", "sarif"], "--graph takes neither --json nor --format sarif"],
  [["w.yaml", "--graph", "png"], "--graph takes one of these: mermaid, svg"],
])("refuses %j", async (args, message) => {
  expect(await box.ak(["check", ...args])).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringContaining(message),
  });
});
