import { styleText } from "node:util";
import type { LogLevel, RunEvent, RunSink } from "@autokestra/engine";
import { quoteText } from "@autokestra/secrets-core";
import type { Terminal } from "./terminal.ts";

const COLORS: Readonly<Record<LogLevel, Parameters<typeof styleText>[0]>> = {
  debug: "gray",
  info: "green",
  warn: "yellow",
  error: "red",
};

/** Writes the events of a run: one JSON object a line, or `HH:MM:SS.mmm LEVEL task message` for people. */
export function createRunPrinter(terminal: Terminal): RunSink {
  if (terminal.json) return (event) => terminal.write(`${JSON.stringify(event)}\n`);
  return (event) => {
    const isNote = event.event !== "task.log" && event.level === "info";
    if (terminal.quiet && isNote) return;
    terminal.write(`${formatEvent(event, terminal.color)}\n`);
  };
}

function formatEvent(event: RunEvent, color: boolean): string {
  const level = event.level.toUpperCase().padEnd(5);
  const shownLevel = color ? styleText(COLORS[event.level], level, { validateStream: false }) : level;
  const task = "task" in event && event.task !== undefined ? quoteText(event.task) : "-";
  return `${localTime(event.time)} ${shownLevel} ${task} ${oneRecord(describe(event))}`;
}

function describe(event: RunEvent): string {
  if (event.event !== "run.finished") {
    return event.data === undefined ? event.message : `${event.message} ${JSON.stringify(event.data)}`;
  }
  const masked = Object.entries(event.masked).map(([name, { count }]) => `${name} ${count}x`);
  const how = event.status === "success" ? "succeeded" : event.status;
  return `run ${how} in ${event.durationMs} ms${masked.length > 0 ? `; masked: ${masked.join(", ")}` : ""}`;
}

/** Further lines are marked, and control characters shown, so that no message can pass for another record. */
function oneRecord(message: string): string {
  return message
    .replace(/\r?\n$/, "")
    .split(/\r\n|[\n\r\u2028\u2029]/)
    .map((line) =>
      line.replace(/(?!\t)[\p{Cc}]/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`),
    )
    .join("\n             | ");
}

const CLOCK = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium", hourCycle: "h23" });

/** HH:MM:SS.mmm of the person's own clock. */
function localTime(time: string): string {
  const date = new Date(time);
  return `${CLOCK.format(date)}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}
