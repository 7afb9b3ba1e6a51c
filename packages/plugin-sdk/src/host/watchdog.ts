import { type ChildProcess, spawn } from "node:child_process";

/**
 * Kills a process group if this process ends in whatever way, also by SIGKILL: nothing in it could do that then. Kill what it returns once
 * the group has ended by itself.
 *
 * @param pid the id of the group; of a process that could not be started there is none
 */
export function killGroupAfterExit(pid: number | undefined): ChildProcess {
  const watchdog = spawn("/bin/sh", ["-c", `read -r _; kill -s KILL -- "-$1"`, "sh", String(pid)], {
    env: {},
    cwd: "/",
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  watchdog.on("error", () => undefined);
  watchdog.stdin.on("error", () => undefined);
  watchdog.unref();
  return watchdog;
}
