import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { errorCode } from "@autokestra/secrets-core";

/** The process that runs a workflow, so that others can tell later whether it is still there. */
export interface RunProcess {
  readonly pid: number;
  /** Clock ticks since the system started: tells a process from a later one with the same pid. Null where it is not Linux. */
  readonly startTime: number | null;
  readonly host: string;
  /** Another one after each start of the system. Null where it is not Linux. */
  readonly bootId: string | null;
}

/** The states of a run whose end is not recorded. */
export type UnfinishedStatus = "running" | "lost" | "unknown";

/** The process that this code runs in. */
export function thisProcess(): RunProcess {
  return { pid: process.pid, startTime: readStat(process.pid)?.startTime ?? null, host: hostname(), bootId: bootId() };
}

/**
 * Tells from its process what has become of an unfinished run.
 *
 * @param run null where the process was not recorded, as in version 1
 */
export function unfinishedStatus(run: RunProcess | null): UnfinishedStatus {
  if (run === null) return "lost";
  if (run.host !== hostname()) return "unknown";
  const boot = bootId();
  if (run.bootId !== null && boot !== null && run.bootId !== boot) return "lost";
  if (!isThere(run.pid)) return "lost";
  const stat = readStat(run.pid);
  if (stat === null) return "running";
  const isAnother = run.startTime !== null && run.startTime !== stat.startTime;
  return isAnother || stat.isZombie ? "lost" : "running";
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // EPERM: there is one, of another user.
    return errorCode(error) !== "ESRCH";
  }
}

/** Fields 3 and 22 of /proc/PID/stat, see proc_pid_stat(5). A zombie has ended, but its parent has not asked how. */
function readStat(pid: number): { readonly startTime: number; readonly isZombie: boolean } | null {
  const text = readText(`/proc/${pid}/stat`);
  if (text === null) return null;
  // Field 2 is the name of the program in parentheses, with any characters in it.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { startTime: Number(fields[19]), isZombie: fields[0] === "Z" };
}

function bootId(): string | null {
  return readText("/proc/sys/kernel/random/boot_id")?.trim() ?? null;
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
