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

/** A picture of the tasks, with the widths of its lines. */
interface Picture {
  readonly text: string;
  readonly widths: readonly number[];
  readonly columns: number;
  /** On the clock of `performance.now()`. */
  readonly at: number;
}

/**
 * The tasks of a running workflow below its log: their states, times and masked counts. It is drawn anew in place, and changes no setting
 * of the terminal, so that nothing must be restored if the process is killed: the cursor stays visible, below the view.
 */
export class LiveView {
  /** Writes above the view, as the command would without one. */
  readonly terminal: Terminal;
  readonly #written: Terminal;
  readonly #screen: Screen;
  readonly #board = new TaskBoard();
  /** The widths of the lines that are drawn. */
  #drawn: readonly number[] = [];
  /** The last picture, which many lines of a log share. */
  #picture: Picture = { text: "", widths: [], columns: 0, at: Number.NEGATIVE_INFINITY };
  #partial = Buffer.alloc(0);
  #state: "waiting" | "drawn" | "ended" = "waiting";
  #timer: NodeJS.Timeout | undefined;

  /** @param terminal what the view writes to */
  constructor(terminal: Terminal, screen: Screen) {
    this.#written = terminal;
    this.#screen = screen;
    this.terminal = {
      ...terminal,
      write: (text) => this.#redraw(text),
      note: (text) => {
        if (!terminal.quiet) this.#redraw(`${text}\n`);
      },
      warn: (text) => this.#redraw(`${text}\n`),
    };
  }

  /** Writes what plugins print above the view, in whole lines. */
  print(bytes: Uint8Array): void {
    const all = Buffer.concat([this.#partial, bytes]);
    const end = all.length > LONGEST_LINE ? all.length : all.lastIndexOf(10) + 1;
    this.#partial = all.subarray(end);
    if (end === 0) return;
    const whole = all.subarray(0, end).toString();
    this.#redraw(whole.endsWith("\n") ? whole : `${whole}\n`);
  }

  /** Takes the workflow, before its first event. */
  expect(workflow: Workflow): void {
    this.#board.expect(workflow);
  }

  /** Takes an event that is about to be printed. */
  update(event: RecordedEvent): void {
    this.#board.update(event);
    if (event.event === "run.started" && this.#state === "waiting") {
      this.#state = "drawn";
      process.on("SIGWINCH", this.#onResize).on("SIGCONT", this.#onContinue);
    }
    this.#schedule(FRAME_MS);
  }

  /** Removes the view. What was written above stays. */
  end(): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    process.off("SIGWINCH", this.#onResize).off("SIGCONT", this.#onContinue);
    this.#redraw(this.#partial.length === 0 ? "" : `${this.#partial.toString()}\n`);
  }

  readonly #onResize = (): void => this.#redraw();

  readonly #onContinue = (): void => {
    // The shell has written something meanwhile.
    this.#drawn = [];
    this.#redraw();
  };

  /** In one piece, so that no reader sees half of a picture. */
  #redraw(above = ""): void {
    const next = this.#clear() + above + this.#draw();
    this.#written.write(next);
    this.#schedule(above === "" ? TICK_MS : FRAME_MS);
  }

  /** Draws again after this time at the latest. Nothing waits for the view: the timer keeps no process alive. */
  #schedule(milliseconds: number): void {
    clearTimeout(this.#timer);
    if (this.#state === "drawn") this.#timer = setTimeout(() => this.#redraw(), milliseconds).unref();
  }

  /** The terminal may have become narrower since, and then a line has become several. */
  #clear(): string {
    const columns = this.#screen.columns();
    const lines = this.#drawn.reduce((sum, width) => sum + Math.max(1, Math.ceil(width / columns)), 0);
    this.#drawn = [];
    return clearUp(Math.min(lines, this.#screen.rows() - 1));
  }

  #draw(): string {
    // For a slow terminal, pictures are left out, never text.
    if (this.#state !== "drawn" || this.#written.unread() > 0) return "";
    const now = performance.now();
    const columns = this.#screen.columns();
    if (now - this.#picture.at >= FRAME_MS || this.#picture.columns !== columns) {
      // The last column stays free: some terminals wrap a line that fills it.
      const lines = this.#board.lines(columns - 1, viewRows(this.#screen.rows()));
      const text = lines.map((line) => `${paint(line.text, line.state)}\n`).join("");
      this.#picture = { text, widths: lines.map(({ width }) => width), columns, at: now };
    }
    this.#drawn = this.#picture.widths;
    return this.#picture.text;
  }
}

function paint(text: string, state: State | null): string {
  if (state === null) return styleText("bold", text, { validateStream: false });
  const [word = ""] = text.trimStart().split(" ", 1);
  return text.replace(word, styleText(STATES[state].color, word, { validateStream: false }));
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
