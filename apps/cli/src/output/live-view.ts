import { styleText } from "node:util";
import type { Workflow } from "@autokestra/engine";
import type { RecordedEvent, TaskResult } from "@autokestra/runs";
import { quoteText } from "@autokestra/secrets-core/internal";
import measure from "fast-string-truncated-width";
import type { Terminal } from "./terminal.ts";

/** Moves up by some lines, and clears from there to the end of the screen. */
const clearUp = (lines: number): string => (lines === 0 ? "" : `\r\u001b[${lines}A\u001b[J`);

/** The shortest time between two pictures, in milliseconds. */
const FRAME_MS = 80;
/** How often times are drawn anew, in milliseconds. */
const TICK_MS = 1000;
/** The longest line that waits for its end, in bytes. */
const LONGEST_LINE = 64 * 1024;

type State = "running" | "waiting" | TaskResult["status"];

interface LiveTask {
  readonly name: string;
  state: State;
  /** On the clock of `performance.now()`; null before it has started. */
  startedAt: number | null;
  milliseconds: number;
  masked: number;
  /** Of a `forEach`: how many of its items run and have ended. */
  readonly items: { running: number; ended: number };
}

/** How a state is shown, in the order in which tasks are listed: what can be acted on comes first. */
const STATES: Readonly<Record<State, { readonly color: Parameters<typeof styleText>[0]; readonly rank: number }>> = {
  running: { color: "cyan", rank: 0 },
  failed: { color: "red", rank: 1 },
  waiting: { color: "gray", rank: 2 },
  cancelled: { color: "yellow", rank: 3 },
  skipped: { color: "gray", rank: 4 },
  success: { color: "green", rank: 5 },
};

/** What is known of the screen. */
export interface Screen {
  readonly columns: () => number;
  readonly rows: () => number;
}

/** The tasks of a running workflow below its log: their states, times and masked counts. */
export interface LiveView {
  /** Writes above the view, as the command would without one. */
  readonly terminal: Terminal;
  /** Writes what plugins print above the view, in whole lines. */
  print(bytes: Uint8Array): void;
  /** Takes the workflow, before its first event. */
  expect(workflow: Workflow): void;
  /** Takes an event that is about to be printed. */
  update(event: RecordedEvent): void;
  /** Removes the view. What was written above stays. */
  end(): void;
}

/**
 * Creates a view that is drawn anew in place. It changes no setting of the terminal, so that there is nothing to be
 * restored where the process is killed: the cursor stays visible, and below the view.
 *
 * @param write writes to the terminal
 */
export function createLiveView(terminal: Terminal, screen: Screen): LiveView {
  const board = new TaskBoard();
  /** The widths of the lines that are drawn. */
  let drawn: readonly number[] = [];
  /** The last picture, which many lines of a log share. */
  let picture = { text: "", widths: drawn, columns: 0, at: Number.NEGATIVE_INFINITY };
  let partial = Buffer.alloc(0);
  let isStarted = false;
  let isEnded = false;
  let timer: NodeJS.Timeout | undefined;

  /** The terminal may have become narrower since, and then a line has become several. */
  function clear(): string {
    const columns = screen.columns();
    const lines = drawn.reduce((sum, width) => sum + Math.max(1, Math.ceil(width / columns)), 0);
    drawn = [];
    return clearUp(Math.min(lines, screen.rows() - 1));
  }

  function frame(): string {
    // For a slow terminal, pictures are left out, never text.
    if (!isStarted || isEnded || terminal.unread() > 0) return "";
    const now = performance.now();
    const columns = screen.columns();
    if (now - picture.at >= FRAME_MS || picture.columns !== columns) {
      // The last column stays free: some terminals wrap a line that fills it.
      const lines = board.lines(columns - 1, viewRows(screen.rows()));
      const text = lines.map((line) => `${paint(line.text, line.state)}\n`).join("");
      picture = { text, widths: lines.map(({ width }) => width), columns, at: now };
    }
    drawn = picture.widths;
    return picture.text;
  }

  function paint(text: string, state: State | null): string {
    if (state === null) return styleText("bold", text, { validateStream: false });
    const [word = ""] = text.trimStart().split(" ", 1);
    return text.replace(word, styleText(STATES[state].color, word, { validateStream: false }));
  }

  /** In one piece, so that no reader sees half of a picture. */
  function redraw(above = ""): void {
    const next = clear() + above + frame();
    terminal.write(next);
    schedule(above === "" ? TICK_MS : FRAME_MS);
  }

  /** Draws again after this time at the latest. Nothing waits for the view: the timer keeps no process alive. */
  function schedule(milliseconds: number): void {
    clearTimeout(timer);
    if (isStarted && !isEnded) timer = setTimeout(() => redraw(), milliseconds).unref();
  }

  const onResize = () => redraw();
  const onContinue = () => {
    // The shell has written something meanwhile.
    drawn = [];
    redraw();
  };

  return {
    terminal: {
      ...terminal,
      write: (text) => redraw(text),
      note: (text) => {
        if (!terminal.quiet) redraw(`${text}\n`);
      },
      warn: (text) => redraw(`${text}\n`),
    },
    print(bytes) {
      const all = Buffer.concat([partial, bytes]);
      const end = all.length > LONGEST_LINE ? all.length : all.lastIndexOf(10) + 1;
      partial = all.subarray(end);
      if (end === 0) return;
      const whole = all.subarray(0, end).toString();
      redraw(whole.endsWith("\n") ? whole : `${whole}\n`);
    },
    expect: (workflow) => board.expect(workflow),
    update(event) {
      board.update(event);
      if (event.event === "run.started") {
        isStarted = true;
        process.on("SIGWINCH", onResize).on("SIGCONT", onContinue);
      }
      schedule(FRAME_MS);
    },
    end() {
      if (isEnded) return;
      isEnded = true;
      process.off("SIGWINCH", onResize).off("SIGCONT", onContinue);
      redraw(partial.length === 0 ? "" : `${partial.toString()}\n`);
    },
  };
}

/** At most a third of the screen, so that the log stays readable. */
function viewRows(rows: number): number {
  return Math.max(2, Math.min(12, Math.floor(rows / 3)));
}

/** A line without colours, and the state whose colour its first word has; null for the line on top. */
interface BoardLine {
  readonly text: string;
  readonly width: number;
  readonly state: State | null;
}

/** What is known of the tasks of a run. */
class TaskBoard {
  readonly #tasks = new Map<string, LiveTask>();
  #title = "";
  #startedAt = performance.now();
  #masked = 0;

  expect({ id, tasks }: Workflow): void {
    this.#title = id;
    for (const task of tasks) this.#add(task.id);
  }

  #add(name: string): LiveTask {
    const task: LiveTask = {
      name,
      state: "waiting",
      startedAt: null,
      milliseconds: 0,
      masked: 0,
      items: { running: 0, ended: 0 },
    };
    this.#tasks.set(name, task);
    return task;
  }

  update(event: RecordedEvent): void {
    if (event.event === "run.started") this.#startedAt = performance.now();
    if (event.event !== "task.started" && event.event !== "task.finished") return;
    const { task: name = "", masked = {} } = event;
    const own = name.replace(/\[\d+\]$/, "");
    const task = this.#tasks.get(own) ?? this.#add(own);
    const count = Object.values(masked).reduce((sum, each) => sum + each.count, 0);
    task.masked += count;
    this.#masked += count;
    const isStart = event.event === "task.started";
    if (own === name) {
      if (isStart) task.startedAt ??= performance.now();
      else task.milliseconds = task.startedAt === null ? 0 : performance.now() - task.startedAt;
      task.state = isStart ? "running" : (event.status ?? "success");
    } else if (isStart) task.items.running += 1;
    else {
      task.items.running = Math.max(0, task.items.running - 1);
      task.items.ended += 1;
    }
  }

  /** The lines of the view: the whole run, then as many tasks as there is room for. */
  lines(columns: number, rows: number): BoardLine[] {
    const tasks = [...this.#tasks.values()];
    const shown = tasks.length < rows ? tasks : this.#mostImportant(tasks, rows - 2);
    const names = shown.map(({ name }) => measure(quoteText(name)).width);
    const nameWidth = Math.min(Math.max(8, ...names), Math.max(8, columns - 44));
    const lines = shown.map((task) => ({ text: describe(task, nameWidth), state: task.state }));
    const more = tasks.length - shown.length;
    const all = [
      { text: this.#summary(tasks), state: null },
      ...lines,
      ...(more === 0 ? [] : [{ text: `  and ${more} more`, state: null }]),
    ];
    return all.map(({ text, state }) => ({ ...cutTo(text, columns), state }));
  }

  #mostImportant(tasks: readonly LiveTask[], count: number): readonly LiveTask[] {
    const chosen = new Set(
      tasks.toSorted((one, other) => STATES[one.state].rank - STATES[other.state].rank).slice(0, Math.max(1, count)),
    );
    return tasks.filter((task) => chosen.has(task));
  }

  #summary(tasks: readonly LiveTask[]): string {
    const count = (state: State) => tasks.filter((task) => task.state === state).length;
    const ended = tasks.length - count("running") - count("waiting");
    const [running, failed] = [count("running"), count("failed")];
    return [
      `${quoteText(this.#title)} ${ended}/${tasks.length}`,
      ...(running > 0 ? [`${running} running`] : []),
      ...(failed > 0 ? [`${failed} failed`] : []),
      formatTime(performance.now() - this.#startedAt),
      ...(this.#masked > 0 ? [`masked ${this.#masked}x`] : []),
    ].join("  ");
  }
}

function describe({ name, state, startedAt, milliseconds, masked, items }: LiveTask, nameWidth: number): string {
  const { text, width } = cutTo(quoteText(name), nameWidth);
  const time = state === "running" && startedAt !== null ? performance.now() - startedAt : milliseconds;
  const parts = [
    ...(startedAt === null ? [] : [formatTime(time)]),
    ...(items.ended + items.running > 0 ? [`items ${items.ended} done, ${items.running} running`] : []),
    ...(masked > 0 ? [`masked ${masked}x`] : []),
  ];
  return `  ${state.padEnd(9)}  ${text}${" ".repeat(nameWidth - width)}  ${parts.join("  ")}`.trimEnd();
}

function cutTo(text: string, columns: number): { readonly text: string; readonly width: number } {
  const { index, width, ellipsed } = measure(text, { limit: Math.max(1, columns), ellipsis: "…" });
  return ellipsed ? { text: `${text.slice(0, index)}…`, width: width + 1 } : { text, width };
}

/** `0.4 s`, `12 s`, `3:07 min` */
function formatTime(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 10) return `${(Math.floor(milliseconds / 100) / 10).toFixed(1)} s`;
  if (seconds < 60) return `${seconds} s`;
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")} min`;
}
