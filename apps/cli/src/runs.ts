import { styleText } from "node:util";
import {
  type LogEvent,
  type LogLevel,
  openRunHistory,
  type RecordedEvent,
  type RunHistory,
  toJson,
} from "@autokestra/runs";
import { runsFile } from "@autokestra/secrets/internal";
import { plural, quoteText } from "@autokestra/secrets-core/internal";
import type { CommandContext } from "./command.ts";
import { standardError, standardOutput, type Terminal } from "./output/terminal.ts";

/** The description of the argument that names a run. */
export const RUN_ARGUMENT = "id of the run, from `runs list`, its beginning, or `last`";

/** Opens the run history while `use` runs. */
export async function withRunHistory<T>(
  { runsPath, place }: CommandContext,
  use: (history: RunHistory) => T | Promise<T>,
): Promise<T> {
  const history = await openRunHistory({ path: runsPath ?? runsFile(place) });
  try {
    return await use(history);
  } finally {
    await history.close();
  }
}

const COLORS: Readonly<Record<LogLevel, Parameters<typeof styleText>[0]>> = {
  debug: "gray",
  info: "green",
  warn: "yellow",
  error: "red",
};

/** The maximum amount of output to hold for a slow reader, in bytes. */
const HELD_BYTES = 64 * 1024 * 1024;

/** Prints the events of a run: one JSON object per line, or `HH:MM:SS.mmm LEVEL task message` for people. */
export function createRunPrinter(terminal: Terminal): (event: RecordedEvent) => void {
  if (terminal.json) return (event) => terminal.write(`${toJson(event)}\n`);
  return (event) => {
    const isNote = event.event !== "task.log" && event.level === "info";
    if (terminal.quiet && isNote) return;
    terminal.write(`${formatEvent(event, terminal.color)}\n`);
  };
}

/**
 * Creates the printer for a running workflow. If nobody reads the output, lines are left out, and one line says how
 * many. The last line is always printed.
 */
export function createLiveRunPrinter(terminal: Terminal): (event: RecordedEvent) => void {
  let leftOut = 0;
  const printAlways = createRunPrinter(terminal);
  const print = createRunPrinter({
    ...terminal,
    write(text) {
      const unread = terminal.unread();
      const isHeld = leftOut === 0 && (unread === 0 || unread + text.length <= HELD_BYTES);
      if (isHeld) terminal.write(text);
      else leftOut += text.split("\n").length - 1;
    },
  });
  return (event) => {
    const isLast = event.event === "run.finished";
    // After a gap, half of the buffer must be read first, so that there is one gap and not thousands.
    if (leftOut > 0 && (isLast || terminal.unread() <= HELD_BYTES / 2)) {
      printAlways(describeGap(event, leftOut, terminal.json));
      leftOut = 0;
    }
    if (isLast) printAlways(event);
    else print(event);
  };
}

/**
 * Writes the masked output of plugins through the queues of the command, so that a slow reader delays no task. Output
 * beyond the maximum is left out, with one warning.
 */
export function createPrintWriter(terminal: Terminal): (stream: "stdout" | "stderr", bytes: Uint8Array) => void {
  let isTold = false;
  return (stream, bytes) => {
    const output = stream === "stdout" ? standardOutput() : standardError();
    if (output.unread === 0 || output.unread + bytes.length <= HELD_BYTES) return output.write(bytes);
    if (!isTold) terminal.warn("warning: some output of plugins is dropped, because nothing reads it");
    isTold = true;
  };
}

function describeGap({ time, execution: runId }: RecordedEvent, lines: number, json: boolean): LogEvent {
  const message = `${plural(lines, "line")} left out here, because nothing read the output; \`autokestra runs show ${runId}\` prints all of them`;
  const data = json ? { data: { linesLeftOut: lines } } : {};
  return { time, level: "warn", event: "run.warning", execution: runId, message, ...data };
}

function formatEvent(event: RecordedEvent, color: boolean): string {
  const level = event.level.toUpperCase().padEnd(5);
  const shownLevel = color ? styleText(COLORS[event.level], level, { validateStream: false }) : level;
  const task = "task" in event && event.task !== undefined ? quoteText(event.task) : "-";
  return `${localTime(event.time)} ${shownLevel} ${task} ${oneRecord(describe(event))}`;
}

function describe(event: RecordedEvent): string {
  if (event.event !== "run.finished") {
    const { event: kind, message, data } = event;
    if (kind === "run.started") return message + describeSources(data);
    // For all others, the message says to people what the data says to programs.
    return data === undefined || kind !== "task.log" ? message : `${message} ${JSON.stringify(data)}`;
  }
  const masked = Object.entries(event.masked).map(([name, { count }]) => `${name} ${count}x`);
  const how = event.status === "success" ? "succeeded" : event.status;
  return `run ${how} in ${event.durationMs} ms${masked.length > 0 ? `; masked: ${masked.join(", ")}` : ""}`;
}

/** Where the secrets of a run come from. */
function describeSources(data: unknown): string {
  const secrets = isObject(data) && isObject(data["secrets"]) ? Object.entries(data["secrets"]) : [];
  const sources = secrets.flatMap(([name, from]) => {
    if (!isObject(from)) return [];
    const { source, version, staleSeconds } = from;
    const notes = [
      ...(typeof version === "string" ? [`version ${version}`] : []),
      ...(typeof staleSeconds === "number" ? [`${staleSeconds} s old`] : []),
    ];
    return `${name} from ${String(source)}${notes.length === 0 ? "" : ` (${notes.join(", ")})`}`;
  });
  return sources.length === 0 ? "" : `; secrets: ${sources.join(", ")}`;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

/** Control characters, and those that change the order in which a terminal shows a line. */
const CONTROLS = /(?!\t)[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;

/** Marks continuation lines and escapes control characters, so that no message can look like another record. */
function oneRecord(message: string): string {
  return message
    .replace(/\r?\n$/, "")
    .split(/\r\n|[\n\r\u2028\u2029]/)
    .map((line) => line.replace(CONTROLS, escapeControl))
    .join("\n             | ");
}

function escapeControl(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16)}`;
}

/** Formats a time as HH:MM:SS.mmm in the local time zone. */
function localTime(time: string): string {
  const date = new Date(time);
  return `${date.toTimeString().slice(0, 8)}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}
