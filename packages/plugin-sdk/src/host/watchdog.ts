import { type ChildProcess, spawn } from "node:child_process";

/**
 * Kills a process group when this process ends in any way, even by SIGKILL, after which it could not do so itself. Kill
 * the returned process once the group has ended by itself.
 *
 * @param pid the id of the group; undefined if the process could not be started
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
