import { AsyncLocalStorage } from "node:async_hooks";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { dirname } from "node:path";
import type { Readable } from "node:stream";
import type { ActionContext } from "@autokestra/plugin-sdk";
import {
  killGroupAfterExit,
  MAX_MESSAGE_BYTES,
  type Order,
  PROTOCOL_VERSION,
  REPORTS_FD,
  type Report,
  reportSchema,
} from "@autokestra/plugin-sdk/host";
import { EngineFailure } from "../run/task-failure.ts";
import { PluginRefusal } from "./locate-plugin.ts";
import { rebuildThrown } from "./rebuild-thrown.ts";

/** How a process of a plugin is started. */
export interface ProcessPlan {
  /** The options of Node.js, with its permissions. */
  readonly options: readonly string[];
  readonly program: string;
  readonly entry: string;
}

export type LoadedReport = Extract<Report, { kind: "loaded" }>;
export type ReportedIssues = Extract<Report, { kind: "checked" }>["issues"];
type LoadOrder = Extract<Order, { kind: "load" }>;

/** How long an action has to end after its signal, before its process is killed. */
const GRACE_MS = 1000;
/** How long the module of a plugin may take to load. */
const LOAD_MS = 30_000;
/** What is kept of output from before the first task. */
const EARLY_BYTES = 64 * 1024;

/** What waits for the answer to an order. */
interface Pending {
  readonly resolve: (report: Report) => void;
  readonly reject: (thrown: unknown) => void;
}

/**
 * A process with one plugin: an empty environment, no rights but to read its own code, and a process group of its own. It serves one
 * call at a time, and ends with this process, even if that is killed.
 */
export class PluginProcess {
  readonly #child: ChildProcess;
  readonly #watchdog: ChildProcess;
  readonly #entry: string;
  readonly #closed: Promise<unknown>;
  readonly #contexts = new Map<
    number,
    { readonly context: ActionContext; readonly inAttempt: <T>(work: () => T) => T }
  >();
  #early: (readonly [stream: "stdout" | "stderr", bytes: Uint8Array])[] = [];
  #pending: Pending | null = null;
  #calls = 0;
  #isSpent = false;
  /** Why it was ended, if not by itself. */
  #violation: string | null = null;

  constructor({ options, program, entry }: ProcessPlan) {
    this.#entry = entry;
    this.#child = spawn(process.execPath, [...options, program], {
      cwd: dirname(entry),
      env: {},
      stdio: ["pipe", "pipe", "pipe", "pipe"],
      // A group of its own, whose id is that of the child.
      detached: true,
      windowsHide: true,
    });
    this.#closed = once(this.#child, "close");
    this.#closed.then(
      () => this.#ended(),
      () => this.#ended(),
    );
    // A plugin ends by itself when its standard input is closed, unless it is in an endless loop: nothing in it could see that.
    this.#watchdog = killGroupAfterExit(this.#child.pid);
    if (open.size === 0) guardThisProcess(true);
    open.add(this);
    // A process that has ended closes it, which its end tells.
    this.#child.stdin?.on("error", () => undefined);
    for (const stream of ["stdout", "stderr"] as const) {
      this.#child[stream]?.on("error", () => undefined).on("data", (bytes: Buffer) => this.#print(stream, bytes));
    }
    readLines(this.#child.stdio[REPORTS_FD] as Readable, MAX_MESSAGE_BYTES, (line) => this.#take(line));
  }

  /** Whether it can take another call. */
  get isUsable(): boolean {
    return !this.#isSpent;
  }

  /**
   * Loads the plugin.
   *
   * @throws PluginRefusal if that fails
   */
  async load(tasks: LoadOrder["tasks"]): Promise<LoadedReport> {
    const timer = setTimeout(() => this.#end(`its module has not loaded after ${LOAD_MS / 1000} s`), LOAD_MS);
    try {
      const report = await this.#ask({ kind: "load", entry: this.#entry, tasks });
      if (report.kind === "refused") throw new PluginRefusal(report.why);
      if (report.kind !== "loaded") throw new PluginRefusal("its process gives another answer than it was asked for");
      if (report.protocol !== PROTOCOL_VERSION) {
        throw new PluginRefusal(
          "its version of @autokestra/plugin-sdk does not fit this version of autokestra",
          "Install the version of @autokestra/plugin-sdk that belongs to it.",
        );
      }
      return report;
    } catch (error) {
      if (error instanceof EngineFailure) throw new PluginRefusal(error.message);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Returns what is wrong with an input. */
  async check(type: string, input: unknown): Promise<ReportedIssues> {
    const report = await this.#ask({ kind: "check", call: this.#next(), type, input });
    return report.kind === "checked" ? report.issues : [];
  }

  /**
   * Runs an action. When the signal comes, the action has a second to end; then the process is killed.
   *
   * @throws what the action has thrown, rebuilt; EngineFailure if the process ended
   */
  async run(type: string, input: unknown, context: ActionContext): Promise<unknown> {
    const { log: _, print, mask: __, signal, ...facts } = context;
    const call = this.#next();
    this.#contexts.set(call, { context, inAttempt: AsyncLocalStorage.snapshot() });
    for (const [stream, bytes] of this.#early.splice(0)) print(stream, bytes);
    let timer: NodeJS.Timeout | undefined;
    const abort = () => {
      const { name, message } = signal.reason instanceof Error ? signal.reason : new Error("aborted");
      this.#send({ kind: "abort", call, reason: { name, message } });
      // What an aborted action leaves behind must not meet the next one.
      this.#isSpent = true;
      timer = setTimeout(() => this.kill(), GRACE_MS);
    };
    signal.addEventListener("abort", abort, { once: true });
    const answer = this.#ask({ kind: "run", call, type, input, facts });
    if (signal.aborted) abort();
    try {
      const report = await answer;
      if (report.kind === "done") return report.output;
      throw report.kind === "thrown" || report.kind === "stray" ? rebuildThrown(report.thrown) : new TypeError();
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    }
  }

  /** Kills it, and waits until it has ended. */
  async close(): Promise<void> {
    this.kill();
    await this.#closed.catch(() => undefined);
  }

  #next(): number {
    this.#calls += 1;
    return this.#calls;
  }

  async #ask(order: Order): Promise<Report> {
    return await new Promise((resolve, reject) => {
      if (this.#isSpent) {
        reject(this.#whyEnded());
        return;
      }
      this.#pending = { resolve, reject };
      this.#send(order);
    });
  }

  #send(order: Order): void {
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
  }

  #take(line: string | null): void {
    const report = line === null ? null : parseReport(line);
    if (report !== null) this.#handle(report);
    else this.#end(line === null ? "sent a message of more than 16 MiB" : "sent something that is not a message");
  }

  #handle(report: Report): void {
    if (!("call" in report) || report.kind === "checked") {
      this.#settle(report);
      return;
    }
    const isCurrent = report.call === this.#calls && this.#pending !== null;
    const known = this.#contexts.get(report.call);
    if (report.kind === "log") known?.context.log[report.level](report.message, asData(report.data));
    else if (report.kind === "print") this.#print(report.stream, Buffer.from(report.base64, "base64"), report.call);
    // The plugin has checked it; one that forges messages gets no answer.
    else if (report.kind === "mask") tryTo(() => known?.context.mask(report.texts, report.name));
    else if (isCurrent) {
      // Its promise is still pending, and must not meet the next call.
      this.#isSpent ||= report.kind === "stray";
      this.#settle(report);
    } else if (report.kind === "stray") {
      // As if it had happened here: the run tells it as a warning of the task.
      known?.inAttempt(() => void Promise.reject(rebuildThrown(report.thrown)));
    }
  }

  #print(stream: "stdout" | "stderr", bytes: Uint8Array, call: number = this.#calls): void {
    const known = this.#contexts.get(call) ?? this.#contexts.get(this.#calls);
    if (known !== undefined) {
      known.context.print(stream, bytes);
      return;
    }
    const kept = this.#early.reduce((sum, [, early]) => sum + early.length, 0);
    if (kept + bytes.length <= EARLY_BYTES) this.#early.push([stream, bytes]);
  }

  #settle(report: Report): void {
    this.#takePending()?.resolve(report);
  }

  #takePending(): Pending | null {
    const pending = this.#pending;
    this.#pending = null;
    return pending;
  }
  /** Ends it for a reason of ours. */
  #end(violation: string): void {
    this.#violation ??= violation;
    this.kill();
  }

  #ended(): void {
    this.#isSpent = true;
    open.delete(this);
    if (open.size === 0) guardThisProcess(false);
    this.#watchdog.kill("SIGKILL");
    this.#takePending()?.reject(this.#whyEnded());
  }

  #whyEnded(): EngineFailure {
    const { exitCode, signalCode } = this.#child;
    const how = signalCode ?? (exitCode === null ? "it could not be started" : `exit code ${exitCode}`);
    const what = this.#violation === null ? `ended before the action did (${how})` : `was ended: it ${this.#violation}`;
    return new EngineFailure("PROCESS_ENDED", `the process of the plugin ${what}`, true);
  }

  /** Kills it, with everything in its process group. */
  kill(): void {
    this.#isSpent = true;
    const { pid, exitCode, signalCode } = this.#child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    tryTo(() => process.kill(-pid, "SIGKILL"));
  }
}

const open = new Set<PluginProcess>();

const killAll = () => {
  for (const plugin of open) plugin.kill();
};

/** With a listener, Node.js does not open its debugger, from which a plugin could read everything here. */
const ignoreDebugger = () => undefined;

/** Guards this process while it has plugins: their processes end with it, and cannot open its debugger. */
function guardThisProcess(isOn: boolean): void {
  const change = isOn ? "on" : "off";
  process[change]("exit", killAll);
  process[change]("SIGUSR1", ignoreDebugger);
}

/** Calls `take` with each line, and with null for one that is too long. */
function readLines(stream: Readable, maxBytes: number, take: (line: string | null) => void): void {
  let parts: Buffer[] = [];
  let length = 0;
  stream.on("error", () => undefined);
  stream.on("data", (chunk: Buffer) => {
    let rest = chunk;
    for (let at = rest.indexOf(10); at >= 0; at = rest.indexOf(10)) {
      const line = Buffer.concat([...parts, rest.subarray(0, at)]);
      rest = rest.subarray(at + 1);
      [parts, length] = [[], 0];
      take(line.length > maxBytes ? null : line.toString());
    }
    parts.push(rest);
    length += rest.length;
    if (length <= maxBytes) return;
    stream.destroy();
    parts = [];
    take(null);
  });
}

function parseReport(line: string): Report | null {
  try {
    return reportSchema.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}

function asData(data: unknown): Record<string, unknown> | undefined {
  // Whatever a plugin logs as data is shown, as in this process.
  return data as Record<string, unknown> | undefined;
}

function tryTo(work: () => unknown): void {
  try {
    work();
  } catch {
    // It has ended already, or it has no text to mask.
  }
}
