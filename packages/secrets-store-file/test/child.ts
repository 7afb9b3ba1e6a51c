import { type ChildProcess, execFile } from "node:child_process";
import { createRequire } from "node:module";
import { bundleScript } from "@autokestra/test-kit";

/** Compiles a file of test/ for a process of its own. Returns the path of the bundle. */
export async function bundle(name: string): Promise<string> {
  const lockfile = createRequire(import.meta.url).resolve("proper-lockfile");
  return await bundleScript(new URL(name, import.meta.url), { "proper-lockfile": lockfile });
}

/** Starts a bundle, and kills it as soon as it has printed this many lines; returns what it has printed until its end. */
export async function runAndKill(file: string, args: readonly string[], lines: number): Promise<string[]> {
  return await new Promise((resolve) => {
    const child: ChildProcess = execFile(process.execPath, [file, ...args], (_, stdout) => {
      resolve(stdout.split("\n").filter(Boolean));
    });
    let seen = 0;
    child.stdout?.on("data", (text: string) => {
      seen += text.split("\n").length - 1;
      if (seen >= lines) child.kill("SIGKILL");
    });
  });
}
