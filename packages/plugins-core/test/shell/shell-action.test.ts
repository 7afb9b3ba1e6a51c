import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { invokeAction } from "@autokestra/plugin-sdk";
import { createTestContext, runAction } from "@autokestra/plugin-sdk/testing";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { runShell, type ShellOutput } from "../../src/shell/shell-plugin.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "autokestra-shell-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const run = async (input: unknown): Promise<ShellOutput> => (await runAction(runShell, input)).output;
const node = (code: string, more: object = {}) => ({ command: process.execPath, args: ["-e", code], ...more });

/** Whether a process runs, zombies aside. */
function runs(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

describe("core/shell.run", () => {
  it("runs a program, and gives its exit code and output", async () => {
    const output = await run(node("console.log(1); console.error(2)"));
    expect(output).toEqual({ exitCode: 0, stdout: "1\n", stderr: "2\n", durationMs: expect.any(Number) });
  });

  it("gives arguments as they are, without a shell", async () => {
    const args = ["$HOME", "a b", "; exit 3", "*", "", "'\"\\", "1"];
    const { stdout } = await run({
      command: process.execPath,
      args: ["-p", "JSON.stringify(process.argv.slice(1))", "--", ...args, 7, true],
    });
    expect(JSON.parse(stdout)).toEqual([...args, "7", "true"]);
  });

  it("L6: has an environment of PATH, HOME, LANG and what env names, and nothing else", async () => {
    vi.stubEnv("AUTOKESTRA_SECRET_KEY", "k".repeat(64));
    vi.stubEnv("LANG", "C.UTF-8");
    const { stdout } = await run(
      node("console.log(JSON.stringify(process.env))", { env: { TOKEN: "t", PORT: 80, ON: true, PATH: "/bin" } }),
    );
    expect(JSON.parse(stdout)).toEqual({
      PATH: "/bin",
      HOME: process.env["HOME"],
      LANG: "C.UTF-8",
      TOKEN: "t",
      PORT: "80",
      ON: "true",
    });
    vi.unstubAllEnvs();
  });

  it("gives text on standard input, or nothing", async () => {
    const echo = "process.stdin.pipe(process.stdout)";
    expect((await run(node(echo, { stdin: "some\ntext" }))).stdout).toBe("some\ntext");
    expect((await run(node(echo))).stdout).toBe("");
    // A program that does not read its input
    expect((await run(node("process.exit(0)", { stdin: "x".repeat(1_000_000) }))).exitCode).toBe(0);
  });

  it("runs in a folder", async () => {
    expect((await run({ command: "pwd", cwd: "/" })).stdout).toBe("/\n");
  });

  it("gives a script to a shell that stops at the first error", async () => {
    const { stdout } = await run({
      script: "echo $((1 + 1))\nwhile read -r line; do echo got $line; done <<< x",
      env: { A: "b" },
    });
    expect(stdout).toBe("2\ngot x\n");
    await expect(run({ script: "false\necho not here" })).rejects.toThrow("exit code 1");
    await expect(run({ script: "echo $NOT_SET" })).rejects.toThrow("exit code");
    await expect(run({ script: "false | true" })).rejects.toThrow("exit code 1");
    expect((await run({ script: "echo $0", shell: ["sh"] })).stdout).toBe("sh\n");
  });

  it("fails for another exit code, with the last 20 lines of standard error", async () => {
    const lines = Array.from({ length: 30 }, (_, at) => `line ${at}`);
    const failing = node(`console.error(${JSON.stringify(lines.join("\n"))}); process.exit(3)`);
    const error = await run(failing).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "EXIT_CODE",
      message: `exit code 3; the end of its standard error:\n${lines.slice(10).join("\n")}`,
    });
    expect(await run({ ...failing, allowExitCodes: [0, 3] })).toMatchObject({ exitCode: 3 });
    await expect(run(node("", { allowExitCodes: [1] }))).rejects.toThrow(/^exit code 0$/);
    await expect(run({ script: "kill -KILL $$" })).rejects.toThrow(
      expect.objectContaining({ code: "KILLED", message: "ended by SIGKILL" }),
    );
  });

  it("leaves a line out of the error that is too long to be shown from its beginning", async () => {
    const failing = node('console.error("x".repeat(200000) + "\\nlast"); process.exitCode = 1');
    await expect(run(failing)).rejects.toThrow(/^exit code 1; the end of its standard error:\nlast$/);
    const long = node('console.error("x".repeat(5000) + "\\nlast"); process.exitCode = 1');
    await expect(run(long)).rejects.toThrow("[a line of 5000 characters]\nlast");
  });

  it.each([
    [{ command: "no-such-program" }, "'no-such-program' cannot be started in that folder (ENOENT)"],
    [{ command: "pwd", cwd: "/no/such/folder" }, "'pwd' cannot be started in that folder (ENOENT)"],
    [{ command: "/etc/passwd" }, "'/etc/passwd' cannot be started in that folder (EACCES)"],
  ])("says that %j cannot be started", async (input, message) => {
    await expect(run(input)).rejects.toThrow(
      expect.objectContaining({ code: "COMMAND_NOT_STARTED", message, retryable: false }),
    );
  });

  it.each([
    [{}, "either a command or a script"],
    [{ command: "a", script: "b" }, "either a command or a script"],
    [{ command: "a", shell: ["sh"] }, "a shell only with a script"],
    [{ script: "a", args: ["b"] }, "args only with a command"],
    [{ script: "a", stdin: "b" }, "stdin only with a command"],
    [{ command: "" }, "command"],
    [{ command: "a\0b" }, "command"],
    [{ command: "a", args: ["a\0b"] }, "args"],
    [{ command: "a", env: { "A=B": "x" } }, "env"],
    [{ command: "a", env: { A: "x\0" } }, "env.A"],
    [{ command: "a", env: { A: null } }, "env.A"],
    [{ command: "a", allowExitCodes: [] }, "allowExitCodes"],
    [{ command: "a", allowExitCodes: [256] }, "allowExitCodes"],
    [{ command: "a", arg: [] }, "unknown key 'arg'"],
  ])("refuses %j", async (input, message) => {
    await expect(run(input)).rejects.toThrow(message);
  });

  it("keeps 1 MiB of each stream, to a line end, and prints all of it", async () => {
    const context = createTestContext();
    const output = await invokeAction(
      runShell,
      node('for (let i = 0; i < 30000; i++) console.log("line".repeat(10) + i); console.error("e")'),
      context,
    );
    expect(output.truncated).toBe(true);
    expect(output.stdout.length).toBeGreaterThan(1_000_000);
    expect(output.stdout.length).toBeLessThanOrEqual(1024 * 1024);
    expect(output.stdout.endsWith("\n")).toBe(true);
    expect(output.stderr).toBe("e\n");
    expect(context.printed.stdout).toContain("line29999");
    const one = await run(node('process.stdout.write("x".repeat(2_000_000))'));
    expect(one.stdout).toHaveLength(1024 * 1024 - 64 * 1024);
  });

  it("ends the whole process group when it is cancelled, also what ignores SIGTERM", async () => {
    const controller = new AbortController();
    const pids = join(folder, "pids");
    const script = `
trap '' TERM
(trap '' TERM; sleep 1000) &
sleep 1000 &
echo $$ $! > ${pids}.new && mv ${pids}.new ${pids}
wait; sleep 1000`;
    const running = runAction(runShell, { script, shell: ["bash"] }, { signal: controller.signal });
    running.catch(() => undefined);
    await expect.poll(() => existsSync(pids)).toBe(true);
    const started = readFileSync(pids, "utf8").trim().split(" ").map(Number);
    expect(started.every(runs)).toBe(true);
    controller.abort(new Error("enough"));
    await expect(running).rejects.toThrow("enough");
    expect(started.filter(runs)).toEqual([]);
  });

  it("ends what a program leaves behind, and does not wait for it", async () => {
    const { stdout } = await run({ script: "sleep 1000 & echo $!", shell: ["bash"] });
    expect(runs(Number(stdout))).toBe(false);
  });

  it("listens once for the end of this process, for any number of programs", async () => {
    const before = process.listenerCount("exit");
    const controller = new AbortController();
    const started = join(folder, "started");
    writeFileSync(started, "");
    const input = { script: "echo >> started; sleep 600", shell: ["bash"], cwd: folder };
    const running = Promise.allSettled(
      Array.from({ length: 3 }, async () => await runAction(runShell, input, { signal: controller.signal })),
    );
    await expect.poll(() => readFileSync(started, "utf8"), { timeout: 30_000 }).toHaveLength(3);
    expect(process.listenerCount("exit")).toBe(before + 1);
    controller.abort();
    await running;
    expect(process.listenerCount("exit")).toBe(before);
  }, 60_000);

  it("does not start after the signal", async () => {
    const path = join(folder, "never");
    await expect(
      runAction(runShell, { command: "touch", args: [path] }, { signal: AbortSignal.abort(new Error("no")) }),
    ).rejects.toThrow("no");
    expect(() => readFileSync(path)).toThrow("ENOENT");
  });

  it("reads a program of a folder by its relative path", async () => {
    writeFileSync(join(folder, "own.sh"), "#!/bin/sh\necho own\n", { mode: 0o755 });
    expect((await run({ command: "./own.sh", cwd: folder })).stdout).toBe("own\n");
  });
});
