import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { errorCode } from "@autokestra/secrets-core/internal";

/** Identifies the process that runs a workflow, so that other processes can tell later whether it is still alive. */
export interface RunProcess {
  readonly pid: number;
  /**
   * In clock ticks since the system started: tells the process from a later one with the same pid. Null except on
   * Linux.
   */
  readonly startTime: number | null;
  readonly host: string;
  /** Changes with every start of the system. Null except on Linux. */
  readonly bootId: string | null;
}

/** The columns `pid`, `process_start`, `host` and `boot_id`. */
export function processColumns(owner: RunProcess): (string | number | null)[] {
  return [owner.pid, owner.startTime, owner.host, owner.bootId];
}

/** The states of a run whose end is not recorded: see {@link unfinishedStatus}. */
export type UnfinishedStatus = "running" | "lost" | "unknown";

/**
 * The state of a run. The end of the last three is not recorded: the process of a `running` run is alive, that of a
 * `lost` run is not, and an `unknown` run was started on another host.
 */
export type RunStatus = "success" | "failed" | "cancelled" | UnfinishedStatus;

export function thisProcess(): RunProcess {
  return { pid: process.pid, startTime: readStat(process.pid)?.startTime ?? null, host: hostname(), bootId: bootId() };
}

/**
 * Tells what became of an unfinished run: `running` if its process is alive, `lost` if not, `unknown` if it ran on
 * another host.
 *
 * @param run null if the process was not recorded, as in version 1
 */
export function unfinishedStatus(run: RunProcess | null): UnfinishedStatus {
  if (run === null) return "lost";
  if (run.host !== hostname()) return "unknown";
  const boot = bootId();
  if (run.bootId !== null && boot !== null && run.bootId !== boot) return "lost";
  if (!pathExists(run.pid)) return "lost";
  const stat = readStat(run.pid);
  if (stat === null) return "running";
  const isAnother = run.startTime !== null && run.startTime !== stat.startTime;
  return isAnother || stat.isZombie ? "lost" : "running";
}

function pathExists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // EPERM: the process exists and belongs to another user.
    return errorCode(error) !== "ESRCH";
  }
}

/**
 * Reads fields 3 and 22 of /proc/PID/stat, see proc_pid_stat(5). A zombie has ended, but its parent has not collected
 * it.
 */
function readStat(pid: number): { readonly startTime: number; readonly isZombie: boolean } | null {
  const text = readText(`/proc/${pid}/stat`);
  if (text === null) return null;
  // Field 2 is the name of the program in parentheses and can contain any characters.
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
