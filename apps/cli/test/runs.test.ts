import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSandbox, type Sandbox } from "./run-cli.ts";

const WORKFLOW = `apiVersion: v1
id: greet
secrets: [TOKEN]
tasks:
  - { id: say, type: core/console.log, inputs: { message: "hello {{ secrets.TOKEN }}" } }
`;

let box: Sandbox;

beforeEach(async () => {
  box = createSandbox();
  writeFileSync(join(box.folder, "w.yaml"), WORKFLOW);
  await box.ak(["secrets", "set", "TOKEN"], { input: "a-secret-token" });
});

afterEach(() => box.remove());

const listed = async (...args: string[]) => JSON.parse((await box.ak(["runs", "list", "--json", ...args])).stdout);

describe("runs", () => {
  it("list and show what was run, as it was printed", async () => {
    const printed = await box.ak(["run", "w.yaml", "--json"]);
    const [run, ...others] = await listed();
    expect(others).toEqual([]);
    expect(run).toMatchObject({
      workflow: "greet",
      status: "success",
      masked: { TOKEN: { count: 1, variants: ["value"] } },
    });
    expect((await box.ak(["runs", "show", run.execution, "--json"])).stdout).toBe(printed.stdout);
    const shown = await box.ak(["runs", "show", run.execution]);
    expect(shown.stdout).toContain("INFO  say hello ***SECRET***\n");
    const { stdout } = await box.ak(["runs", "list"]);
    expect(stdout).toBe(`${run.execution}\tgreet\tsuccess\t${run.startedAt}\t${run.durationMs}\tTOKEN\n`);
  });

  it("take filters", async () => {
    await box.ak(["run", "w.yaml"]);
    await box.ak(["run", "w.yaml"]);
    const counts = await Promise.all([
      listed("--limit", "1"),
      listed("--workflow", "greet"),
      listed("--workflow", "other"),
      listed("--status", "failed"),
    ]);
    expect(counts.map(({ length }) => length)).toEqual([1, 2, 0, 0]);
  });

  it("say so when there are none, and make nothing", async () => {
    const { stdout, stderr, code } = await box.ak(["runs", "list"]);
    expect({ stdout, stderr, code }).toEqual({ stdout: "", stderr: "No runs found\n", code: 0 });
    const missing = await box.ak(["runs", "show", "nope"]);
    expect(missing).toMatchObject({ code: 3, stderr: expect.stringContaining("error: Run 'nope' not found\n") });
    expect(existsSync(join(box.folder, ".workflow", "runs.db"))).toBe(false);
  });

  it("are recorded where --runs-path says", async () => {
    await box.ak(["run", "w.yaml", "--runs-path", "elsewhere.db"]);
    expect(await listed()).toEqual([]);
    expect(await listed("--runs-path", "elsewhere.db")).toHaveLength(1);
  });

  it("that cannot be recorded run all the same, and say so once", async () => {
    const { stdout, stderr, code } = await box.ak(["run", "w.yaml", "--runs-path", "w.yaml/runs.db"]);
    expect(stdout).toContain("hello ***SECRET***");
    expect(stderr.match(/warning: this run is not recorded: .*not a directory \(ENOTDIR\)/g)).toHaveLength(1);
    expect(code).toBe(0);
  });
});
