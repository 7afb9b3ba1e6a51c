import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { chown } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSandbox, type Sandbox } from "./run-cli.ts";

let box: Sandbox;

beforeEach(() => {
  box = createSandbox();
});
afterEach(() => box.remove());

/** Makes a store in a folder: a given path is exact. */
async function store(project: string): Promise<void> {
  const storagePath = join(box.folder, project, ".workflow", "secrets");
  const args = ["secrets", "set", "A", "--storage-path", storagePath];
  expect((await box.ak(args, { input: `of ${project}`, project })).code).toBe(0);
}

async function found(project: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const { stdout, stderr } = await box.ak(["secrets", "get", "A", "-q"], { project, env });
  return stdout === "" ? stderr : stdout;
}

describe("KP9: the nearest store", () => {
  it.each([
    ["from a folder below", ["repo"], "repo/src/deep", "repo"],
    ["the nearest of two", ["repo", "repo/src"], "repo/src/deep", "repo/src"],
    ["the one of the working directory", ["repo", "repo/src"], "repo/src", "repo/src"],
    ["the one of the home folder, from there", ["home"], "home", "home"],
  ])("is %s", async (_, stores, cwd, expected) => {
    mkdirSync(join(box.folder, "repo", ".git"), { recursive: true });
    for (const project of stores) await store(project);
    expect(await found(cwd)).toBe(`of ${expected}`);
  });

  it.each([
    ["the root of a repository", ["."], "repo/src"],
    ["a worktree's root, where .git is a file", ["."], "tree/src"],
    ["the home folder", ["home"], "home/project"],
    ["above the home folder", ["."], "home/project"],
    ["a folder in which everybody may write", ["open"], "open/project"],
  ])("is not looked for beyond %s", async (_, stores, cwd) => {
    mkdirSync(join(box.folder, "repo", ".git"), { recursive: true });
    mkdirSync(join(box.folder, "tree"));
    writeFileSync(join(box.folder, "tree", ".git"), "gitdir: elsewhere\n");
    for (const project of stores) await store(project);
    if (stores.includes("open")) chmodSync(join(box.folder, "open"), 0o1777);
    const stderr = await found(cwd);
    expect(stderr).toContain("error: Secret 'A' not found\n");
    expect(stderr).toContain(`Looked in "${join(box.folder, cwd, ".workflow/secrets")}".`);
  });

  it.runIf(process.getuid?.() === 0)("is not looked for in a folder of another owner", async () => {
    await store("theirs");
    mkdirSync(join(box.folder, "theirs", "ours"));
    await chown(join(box.folder, "theirs"), 65_534, 65_534);
    expect(await found("theirs/ours")).toContain("Secret 'A' not found");
  });

  it("knows the home folder by another name", async () => {
    await store("home");
    symlinkSync(join(box.folder, "home"), join(box.folder, "link"));
    expect(await found("home/project", { HOME: join(box.folder, "link") })).toContain("Secret 'A' not found");
  });

  it("passes over a folder without a store, and not over one whose store is gone", async () => {
    await store("repo");
    mkdirSync(join(box.folder, "repo", "src", ".workflow", "secrets"), { recursive: true });
    expect(await found("repo/src/deep")).toBe("of repo");
    writeFileSync(join(box.folder, "repo", "src", ".workflow", "secrets", "backend"), "sqlite\n", { mode: 0o600 });
    expect(await found("repo/src/deep")).toContain("were not found");
  });

  it("is not looked for where a path is given", async () => {
    await store("repo");
    expect(await found("repo", { WORKFLOW_SECRETS_STORAGE_PATH: ".workflow/other" })).toContain("Secret 'A' not found");
  });

  it("is written to; where there is none, the first `set` makes one in the working directory and names it", async () => {
    const first = await box.ak(["secrets", "set", "A"], { input: "a value", project: "repo" });
    expect(first.stderr).toContain(`note: the secrets are stored in "${join(box.folder, "repo/.workflow/secrets")}"\n`);
    const second = await box.ak(["secrets", "set", "B"], { input: "a value", project: "repo/src" });
    expect(second.stderr).toBe("Secret 'B' stored (apiKey, version 1): 1 line, 7 characters\n");
    expect((await box.ak(["secrets", "list"], { project: "repo" })).stdout.match(/^\w/gm)).toEqual(["A", "B"]);
    const none = await box.ak(["secrets", "list"], { project: "elsewhere" });
    expect(none.stderr).toBe(
      `No secrets found\nhint: Looked in "${join(box.folder, "elsewhere/.workflow/secrets")}".\n`,
    );
  });

  it("has the run history beside it", async () => {
    const workflow = "apiVersion: v1\nid: w\ntasks: [{ id: a, type: core/console.log, inputs: { message: hello } }]\n";
    for (const project of ["repo/src", "bare", "bare/src"]) {
      mkdirSync(join(box.folder, project), { recursive: true });
      writeFileSync(join(box.folder, project, "w.yaml"), workflow);
    }
    const runs = async (project: string) =>
      (await box.ak(["runs", "list"], { project })).stdout.match(/success/g)?.length;
    await store("repo");
    await box.ak(["run", "w.yaml"], { project: "repo/src" });
    expect(await runs("repo")).toBe(1);
    await box.ak(["run", "w.yaml"], { project: "bare" });
    await box.ak(["run", "w.yaml"], { project: "bare/src" });
    expect(await runs("bare")).toBe(2);
  });
});
