import type { ApiRunEvent } from "@autokestra/server/answers";
import type { RefObject } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { countOf, formatDuration } from "../components/format.ts";
import { Badge, type Tone } from "../components/messages.tsx";
import type { Connection, PlacedEvent } from "./follow-run.ts";
import { withoutItem } from "./task-states.ts";
import { MOST_EVENTS } from "./use-run-events.ts";

interface RunLogProps {
  readonly events: readonly PlacedEvent[];
  readonly connection: Connection;
  /** Only of this task, with its items and what it calls; null for all. */
  readonly task: string | null;
}

type Level = ApiRunEvent["level"];

const LEVELS: readonly Level[] = ["debug", "info", "warn", "error"];

/** How many lines are on the page at first, and how many more each time somebody asks. */
const FEW = 200;
const MORE = 1000;

/** What has happened in a run: the newest at the end, as in a terminal. */
export function RunLog({ events, connection, task }: RunLogProps) {
  const [level, setLevel] = useState<Level>("debug");
  const [text, setText] = useState("");
  const [shown, setShown] = useState(FEW);
  const wanted = useMemo(() => events.filter(createFilter(task, level, text)), [events, task, level, text]);
  const lines = wanted.slice(-shown);
  const hidden = wanted.length - lines.length;
  const dropped = (events[0]?.place ?? 0) > 0;
  return (
    <>
      <div class="log-filters">
        <LogFilters level={level} onLevel={setLevel} text={text} onText={setText} />
        <p role="status" class="fine">
          <ConnectionBadge connection={connection} /> {countOf(wanted.length, "line")}
          {wanted.length < events.length && ` of ${events.length.toLocaleString("en")}`}
        </p>
      </div>
      {dropped && (
        <p class="fine">
          The page keeps the newest {MOST_EVENTS.toLocaleString("en")} lines. The API and the command line have all of
          them.
        </p>
      )}
      {hidden > 0 && (
        <button type="button" class="secondary outline small" onClick={() => setShown(shown + MORE)}>
          Show {Math.min(hidden, MORE).toLocaleString("en")} earlier of {hidden.toLocaleString("en")}
        </button>
      )}
      {lines.length === 0 ? (
        <p class="muted">{events.length === 0 ? "Nothing is recorded yet." : "No line is like this."}</p>
      ) : (
        <Lines lines={lines} />
      )}
    </>
  );
}

interface LogFiltersProps {
  readonly level: Level;
  readonly onLevel: (level: Level) => void;
  readonly text: string;
  readonly onText: (text: string) => void;
}

function LogFilters({ level, onLevel, text, onText }: LogFiltersProps) {
  return (
    <>
      <label>
        Level
        <select value={level} onChange={(event) => onLevel(event.currentTarget.value as Level)}>
          <option value="debug">all</option>
          <option value="info">info and up</option>
          <option value="warn">warnings and errors</option>
          <option value="error">errors</option>
        </select>
      </label>
      <label>
        Find
        <input type="search" value={text} spellcheck={false} onInput={(event) => onText(event.currentTarget.value)} />
      </label>
    </>
  );
}

function Lines({ lines }: { lines: readonly PlacedEvent[] }) {
  const [frame, onScroll] = useEnd(lines);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: without a mouse, it is scrolled with the keys
    <section class="log-frame" aria-label="Lines" tabIndex={0} ref={frame} onScroll={onScroll}>
      <ol class="log">
        {lines.map((event) => (
          <Line key={event.place} event={event} />
        ))}
      </ol>
    </section>
  );
}

/** Stays at the end of what scrolls while it grows, unless somebody has scrolled up. */
function useEnd(content: unknown): readonly [RefObject<HTMLElement | null>, () => void] {
  const frame = useRef<HTMLElement>(null);
  const isAtEnd = useRef(true);
  useLayoutEffect(() => {
    if (frame.current !== null && isAtEnd.current) frame.current.scrollTop = frame.current.scrollHeight;
  }, [content]);
  const onScroll = (): void => {
    if (frame.current === null) return;
    const { scrollHeight, scrollTop, clientHeight } = frame.current;
    isAtEnd.current = scrollHeight - scrollTop - clientHeight < 8;
  };
  return [frame, onScroll];
}

function createFilter(task: string | null, level: Level, text: string): (event: PlacedEvent) => boolean {
  const least = LEVELS.indexOf(level);
  const sought = text.toLowerCase();
  return (event) => {
    const name = taskOf(event);
    const plain = withoutItem(name);
    return (
      LEVELS.indexOf(event.level) >= least &&
      (task === null || plain === task || plain.startsWith(`${task}/`)) &&
      `${name} ${messageOf(event)}`.toLowerCase().includes(sought)
    );
  };
}

const CONNECTIONS: Readonly<Record<Connection, readonly [Tone, string]>> = {
  connecting: ["plain", "Connecting"],
  live: ["busy", "Live"],
  cut: ["warn", "Connection lost, trying again"],
  ended: ["plain", "Complete"],
};

function ConnectionBadge({ connection }: { connection: Connection }) {
  const [tone, text] = CONNECTIONS[connection];
  return <Badge tone={tone}>{text}</Badge>;
}

function Line({ event }: { event: PlacedEvent }) {
  const { level, time } = event;
  const data = dataOf(event);
  return (
    <li class={level}>
      <time dateTime={time}>{timeOf(time)}</time> <span class="level">{level}</span>{" "}
      <span class="task">{taskOf(event) || "-"}</span> <span class="message">{messageOf(event)}</span>
      {data !== undefined && <Data data={data} />}
    </li>
  );
}

/** What fits stands in the line. */
const SHORT = 80;

function Data({ data }: { data: unknown }) {
  const short = JSON.stringify(data);
  if (short.length <= SHORT) return <span class="data"> {short}</span>;
  return (
    <details>
      <summary>data ▸</summary>
      <pre>{JSON.stringify(data, null, 2)}</pre>
    </details>
  );
}

function taskOf(event: ApiRunEvent): string {
  return "task" in event ? (event.task ?? "") : "";
}

function messageOf(event: ApiRunEvent): string {
  if (event.event !== "run.finished") return event.message;
  const how = event.status === "success" ? "succeeded" : event.status;
  return `run ${how} in ${formatDuration(event.durationMs)}`;
}

/** What a start tells of its secrets is shown below the log; and that a program has printed something is nothing special. */
function dataOf(event: ApiRunEvent): unknown {
  const isTold = event.event === "task.log" || event.event === "run.warning";
  return isTold && JSON.stringify(event.data) !== `{"stream":"stdout"}` ? event.data : undefined;
}

const CLOCK = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
});

function timeOf(iso: string): string {
  return CLOCK.format(new Date(iso));
}
