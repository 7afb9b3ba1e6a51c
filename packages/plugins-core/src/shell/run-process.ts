import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type ActionContext, TaskError } from "@autokestra/plugin-sdk";
import { killGroupAfterExit } from "@autokestra/plugin-sdk/host";
import { OutputBuffer } from "./output-buffer.ts";

/** A program to run. */
interface ProcessOptions {
  readonly program: string;
  readonly args: readonly string[];
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** What it can read from its standard input; null for nothing. */
  readonly stdin: string | null;
  /** Undefined for that of this process. */
  readonly cwd: string | undefined;
  /** Ends it, with all processes that it has started. */
  readonly signal: AbortSignal;
  /** Called with everything that it prints, as it comes. */
  readonly print: ActionContext["print"];
}

/** How a program ended. */
export interface ProcessResult {
  /** Null if a signal has ended it. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The last lines of its standard error. */
  readonly lastLines: string;
  /** Whether it has printed more than is kept. */
  readonly isTruncated: boolean;
}

/** How long a process group has to end after SIGTERM, in milliseconds. */
const GRACE_MS = 5000;
const POLL_MS = 50;

/**
 * Runs a program in a process group of its own, and waits until nothing of that group is left: what the program has
 * started and left behind is ended with it.
 *
 * @throws TaskError `COMMAND_NOT_STARTED`
 */
export async function runProcess(options: ProcessOptions): Promise<ProcessResult> {
  const { program, args, env, stdin, cwd, signal, print } = options;
  signal.throwIfAborted();
  const child = spawn(program, args, {
    env,
    cwd,
    stdio: [stdin === null ? "ignore" : "pipe", "pipe", "pipe"],
    // A group of its own, whose id is that of the child.
    detached: true,
    windowsHide: true,
  });
  const [stdout, stderr] = [new OutputBuffer(), new OutputBuffer()];
  child.stdout?.on("data", (bytes: Buffer) => {
    stdout.push(bytes);
    print("stdout", bytes);
  });
  child.stderr?.on("data", (bytes: Buffer) => {
    stderr.push(bytes);
    print("stderr", bytes);
  });
  const closed = once(child, "close");
  closed.catch(() => undefined);
  await started(child, program);
  const { pid } = child;
  const release = endWithThisProcess(pid);
  const watchdog = killGroupAfterExit(pid);
  const ended: Promise<void>[] = [];
  const end = () => {
    if (ended.length === 0) ended.push(stopGroup(pid));
  };
  child.once("exit", end);
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  // A program that does not read its input closes it, which is not an error.
  child.stdin?.on("error", () => undefined);
  child.stdin?.end(stdin ?? "");
  try {
    await closed;
    await Promise.all(ended);
  } finally {
    release();
    watchdog.kill("SIGKILL");
    signal.removeEventListener("abort", end);
  }
  signal.throwIfAborted();
  return {
    exitCode: child.exitCode,
    signal: child.signalCode,
    stdout: stdout.text(),
    stderr: stderr.text(),
    lastLines: stderr.lastLines(),
    isTruncated: stdout.isTruncated || stderr.isTruncated,
  };
}

async function started(child: ChildProcess, program: string): Promise<void> {
  try {
    await once(child, "spawn");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
    throw new TaskError({
      message: `'${program}' cannot be started in that folder (${code})`,
      code: "COMMAND_NOT_STARTED",
      retryable: false,
    });
  }
}

/** The process groups that are still running. */
const groups = new Set<number | undefined>();

const endAll = () => {
  for (const pid of groups) endGroup(pid, "SIGKILL");
};

/**
 * Ends a process group with this process, if that ends first: a resumed run starts the program anew. One listener does it for all of them,
 * because Node.js warns of many.
 */
function endWithThisProcess(pid: number | undefined): () => void {
  if (groups.size === 0) process.on("exit", endAll);
  groups.add(pid);
  return () => {
    groups.delete(pid);
    if (groups.size === 0) process.off("exit", endAll);
  };
}

/** Asks a process group to end, and ends what is left of it after a while. */
async function stopGroup(pid: number | undefined): Promise<void> {
  const giveUpAt = performance.now() + GRACE_MS;
  let left = endGroup(pid, "SIGTERM");
  while (left && performance.now() < giveUpAt) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    left = endGroup(pid, 0);
  }
  if (left) endGroup(pid, "SIGKILL");
}

/** Sends a signal to a process group. False if nothing is left of it. */
function endGroup(pid: number | undefined, signal: NodeJS.Signals | 0): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}
