import { execFileSync } from "node:child_process";
import { mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "@autokestra/test-kit";
import { afterEach, expect, it } from "vitest";
import { openWorkflowFolder, type WorkflowFolder } from "../src/workflow-folder.ts";

const text = (id: string, message = "hello") =>
  `{ apiVersion: v1, id: ${id}, tasks: [{ id: say, type: core/console.log, inputs: { message: ${message} } }] }\n`;

const opened: (() => void)[] = [];
afterEach(() => {
  for (const close of opened.splice(0)) close();
});

async function place(files: Readonly<Record<string, string>>) {
  const folder = temporaryFolder((remove) => opened.push(remove));
  const write = (name: string, content: string) => writeFileSync(join(folder, name), content);
  for (const [name, content] of Object.entries(files)) write(name, content);
  const problems: string[] = [];
  let changes = 0;
  const workflows = await openWorkflowFolder({
    folder,
    onProblem: (file, problem) => void problems.push(`${file}: ${problem.split("\n", 1).join("")}`),
    onChange() {
      changes += 1;
    },
  });
  opened.unshift(() => workflows.close());
  return { folder, write, problems, workflows, changes: () => changes };
}

const messageOf = (workflows: WorkflowFolder, id: string) => workflows.get(id)?.workflow.tasks[0]?.inputs?.["message"];

it("has the workflows of a folder, and nothing else of it", async () => {
  const { folder, workflows } = await place({
    "a.yaml": text("a"),
    "b.yml": text("b"),
    "c.json": text("c"),
    "notes.md": "x",
    ".d.yaml": text("d"),
  });
  mkdirSync(join(folder, "called"));
  writeFileSync(join(folder, "called", "child.yaml"), text("child"));
  await workflows.refresh();
  expect(workflows.files().map(({ file, problem }) => [file, problem])).toEqual([
    ["a.yaml", null],
    ["b.yml", null],
    ["c.json", null],
  ]);
  expect(workflows.get("b")?.path).toBe(join(folder, "b.yml"));
  expect([workflows.get("child"), workflows.get("d")]).toEqual([null, null]);
});

it("follows changes by itself", async () => {
  const { folder, write, workflows, changes } = await place({ "a.yaml": text("a"), "b.yaml": text("b") });
  const before = changes();
  write("a.yaml", text("a", "changed"));
  write("c.yaml", text("c"));
  rmSync(join(folder, "b.yaml"));
  await expect.poll(() => workflows.get("c")?.workflow.id).toBe("c");
  await expect.poll(() => messageOf(workflows, "a")).toBe("changed");
  await expect.poll(() => workflows.get("b")).toBeNull();
  expect(changes()).toBeGreaterThan(before);
});

it("keeps the last version that could be read, and tells of the problem once", async () => {
  const { write, workflows, problems } = await place({ "a.yaml": text("a") });
  write("a.yaml", "{ apiVersion: v1, id: a, taks: [] }");
  await workflows.refresh();
  await workflows.refresh();
  expect(messageOf(workflows, "a")).toBe("hello");
  expect(workflows.files()[0]?.problem).toContain("taks");
  expect(problems).toHaveLength(1);
  write("a.yaml", text("a", "mended"));
  await workflows.refresh();
  expect([messageOf(workflows, "a"), workflows.files()[0]?.problem]).toEqual(["mended", null]);
});

it("has a file that was never good, and takes it when it is", async () => {
  const { write, workflows } = await place({ "a.yaml": "{" });
  expect(workflows.files()).toMatchObject([{ file: "a.yaml", parsed: null, problem: expect.any(String) }]);
  write("a.yaml", text("a"));
  await workflows.refresh();
  expect(workflows.get("a")).not.toBeNull();
});

it("does not wait for a pipe", async () => {
  const { folder, write, workflows, problems } = await place({ "a.yaml": text("a") });
  execFileSync("mkfifo", [join(folder, "b.yaml")]);
  symlinkSync("/dev/zero", join(folder, "c.yaml"));
  mkdirSync(join(folder, "d.yaml"));
  write("e.yaml", text("e"));
  await workflows.refresh();
  expect(workflows.get("e")).not.toBeNull();
  expect(problems).toEqual([
    expect.stringContaining("is a pipe"),
    expect.stringContaining("is a pipe"),
    expect.stringContaining("EISDIR"),
  ]);
});

it("shows no line of a file that is no workflow", async () => {
  const { folder, workflows } = await place({ "b.yaml": "{ apiVersion: v1, id: b, taks: [token-zqx-4711] }" });
  const key = join(folder, "key");
  writeFileSync(key, "c4na7y".repeat(8));
  symlinkSync(key, join(folder, "a.yaml"));
  await workflows.refresh();
  const told = workflows.files().map(({ problem }) => problem);
  expect(told).toEqual([expect.stringContaining("a.yaml:1:1"), expect.stringContaining("b.yaml:1:32")]);
  expect(told.join()).not.toMatch(/c4na7y|zqx/);
});

it("gives an id to the first file that has it", async () => {
  const { folder, workflows, problems } = await place({
    "a.yaml": text("same", "first"),
    "b.yaml": text("same", "second"),
  });
  expect(messageOf(workflows, "same")).toBe("first");
  expect(problems).toEqual(["b.yaml: its id 'same' is that of a.yaml"]);
  rmSync(join(folder, "a.yaml"));
  await workflows.refresh();
  expect(messageOf(workflows, "same")).toBe("second");
});

it("sees another file in the place of one with the same size and time", async () => {
  const { folder, workflows } = await place({ "a.yaml": text("a", "one") });
  const time = new Date("2026-01-01");
  writeFileSync(join(folder, "new"), text("a", "two"));
  for (const name of ["a.yaml", "new"]) utimesSync(join(folder, name), time, time);
  await workflows.refresh();
  renameSync(join(folder, "new"), join(folder, "a.yaml"));
  await workflows.refresh();
  expect(messageOf(workflows, "a")).toBe("two");
});

it("keeps its workflows while the folder is away", async () => {
  const { folder, workflows } = await place({ "a.yaml": text("a") });
  renameSync(folder, `${folder}-away`);
  await expect(workflows.refresh()).rejects.toThrow("ENOENT");
  expect(workflows.get("a")).not.toBeNull();
  renameSync(`${folder}-away`, folder);
  await workflows.refresh();
  expect(workflows.get("a")).not.toBeNull();
});
