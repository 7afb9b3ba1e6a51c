import type { LogEvent, RunFinished, RunSink, RunStarted, TaskErrorInfo, TaskResult } from "@autokestra/runs";
import type { Masker } from "@autokestra/secrets-masker";
import type { RunMasks } from "./masks.ts";
import { toJson } from "./to-json.ts";

/** The only way out of a run. Every event passes the masker before it gets to the sink of the program. */
export interface RedactingSink {
  start(event: RunStarted): void;
  log(event: LogEvent): void;
  /** Holds what this task logs from now on, because not all of its secrets are known yet. */
  hold(task: string): void;
  /** The held output of a task; undefined if nothing is held for it. */
  held(task: string): HeldOutput | undefined;
  /**
   * Shows what was held for this task, masked with the values known now. Returns the number of bytes that did not fit.
   */
  release(task: string): number;
  /** Drops what was held for this task. Returns the number of bytes. */
  drop(task: string): number;
  /** True until {@link close} or {@link finish}. */
  isOpen(): boolean;
  /** Stops all output. */
  close(): void;
  /** Writes the last event and stops all output: the masker is empty when a plugin logs later. */
  finish(event: Omit<RunFinished, "masked">): RunFinished;
}

/** The shortest beginning of a value to hide before a cut in a log line. Shorter ones would hide ordinary words. */
const SHORTEST_BEGINNING = 16;

type SinkMasks = Pick<RunMasks, "mask" | "stream" | "maskBytes" | "maskValue" | "count" | "report">;

/**
 * Creates a sink that masks everything that comes from actions and turns it into JSON. What the engine itself writes
 * (time, level, event, ids, counts) is not masked, because a short secret could equal such words and numbers.
 */
export function createRedactingSink(masks: SinkMasks, sink: RunSink): RedactingSink {
  let open = true;
  const holders = new Map<string, HeldOutput>();

  /** Copies the event, because an action can change its data before it is shown. */
  function maskEvent<Event extends LogEvent | RunStarted>(event: Event): Event {
    const { message, data } = event;
    return {
      ...event,
      message: maskCutText(message, masks, SHORTEST_BEGINNING),
      ...(data !== undefined && { data: masks.maskValue(data) }),
    };
  }

  /** Turns a masked value into JSON. Buffers become lists of numbers there, so their bytes are masked here. */
  function maskedJson(masked: unknown): unknown {
    return toJson(masked, (bytes) => masks.maskBytes(bytes));
  }

  /** Masking keeps objects objects, unless it fails. */
  function maskedOutputs(masked: unknown): Record<string, unknown> {
    const json = maskedJson(masked);
    return typeof json === "object" && json !== null ? { ...json } : { redacted: json };
  }

  function withJson<Event extends LogEvent | RunStarted>(event: Event): Event {
    return event.data === undefined ? event : { ...event, data: maskedJson(event.data) };
  }

  function maskError({ name, code, message, status }: TaskErrorInfo): TaskErrorInfo {
    const masked = { name: masks.mask(name), code: masks.mask(code), message: masks.mask(message) };
    return status === undefined ? masked : { ...masked, status };
  }

  function maskResult(id: string, { status, output, error }: TaskResult): TaskResult {
    const shown = ofTask(id, () => ({
      status,
      ...(output === undefined ? {} : { output: maskedJson(masks.maskValue(output)) }),
      ...(error === undefined ? {} : { error: maskError(error) }),
    }));
    const masked = masks.report(id);
    return Object.keys(masked).length === 0 ? shown : { ...shown, masked };
  }

  /** @param event masked */
  function emit(event: LogEvent | RunStarted): void {
    if (!open) return;
    try {
      sink(withJson(event));
    } catch (error) {
      // The run ends here and the masker is disposed: later events would get out unmasked.
      open = false;
      throw error;
    }
  }

  /** Counts what is masked in an event for its task. */
  function ofTask<T>(task: string | undefined, work: () => T): T {
    return task === undefined ? work() : masks.count(task, work);
  }

  function takeHeld(task: string): HeldOutput | undefined {
    const held = holders.get(task);
    holders.delete(task);
    return held;
  }

  return {
    start: (event) => emit(maskEvent({ ...event, workflow: masks.mask(event.workflow) })),
    log: (event) =>
      ofTask(event.task, () => {
        const masked = maskEvent(event);
        const held = event.event === "task.log" && event.task !== undefined ? holders.get(event.task) : undefined;
        const show = () => ofTask(event.task, () => emit(maskEvent(masked)));
        if (held === undefined) emit(masked);
        else held.hold(JSON.stringify(withJson(masked)).length, show);
      }),
    hold: (task) => void holders.set(task, new HeldOutput()),
    held: (task) => holders.get(task),
    release: (task) => takeHeld(task)?.release() ?? 0,
    drop: (task) => takeHeld(task)?.drop() ?? 0,
    isOpen: () => open,
    close() {
      open = false;
    },
    finish(event) {
      open = false;
      const tasks = Object.entries(event.tasks).map(([id, result]) => [id, maskResult(id, result)]);
      const outputs = event.outputs === undefined ? {} : { outputs: maskedOutputs(masks.maskValue(event.outputs)) };
      const finished: RunFinished = { ...event, tasks: Object.fromEntries(tasks), ...outputs, masked: masks.report() };
      sink(finished);
      return finished;
    },
  };
}

/** The maximum amount of output to hold for one task, in bytes. */
const HELD_BYTES = 1024 * 1024;

/** Holds the output of a task until its secrets are known. */
export class HeldOutput {
  #shows: (() => void)[] = [];
  #held = 0;
  #dropped = 0;

  /**
   * @param bytes the size of the output
   * @param show called to show it
   */
  hold(bytes: number, show: () => void): void {
    if (this.#dropped > 0 || this.#held + bytes > HELD_BYTES) {
      this.#dropped += bytes;
      return;
    }
    this.#held += bytes;
    this.#shows.push(show);
  }

  /** Shows what is held. Returns the number of bytes that did not fit and are not shown. */
  release(): number {
    const shows = this.#shows;
    const dropped = this.#dropped;
    this.drop();
    for (const show of shows) show();
    return dropped;
  }

  /** Drops what is held. Returns the number of bytes, with those that did not fit. */
  drop(): number {
    const bytes = this.#held + this.#dropped;
    this.#shows = [];
    this.#held = 0;
    this.#dropped = 0;
    return bytes;
  }
}

/** Plugins, libraries and Node itself mark cuts like this: `Received type string ('abc...)`. */
const ELLIPSIS = /(…|\.{3,})/;

/**
 * Masks text that may have been cut, and leaves out the beginning of a value before an ellipsis, because a masker finds
 * only whole values.
 *
 * @param shortest the shortest beginning of a value to leave out, in characters; shorter ones are treated as chance
 */
export function maskCutText(text: string, masker: Pick<Masker, "mask" | "stream">, shortest: number): string {
  if (!ELLIPSIS.test(text)) return masker.mask(text);
  const pieces = masker.mask(text).split(ELLIPSIS);
  // Every second piece is an ellipsis.
  return pieces
    .map((piece, at) => {
      const isCut = at % 2 === 0 && at < pieces.length - 1 && piece.length >= shortest;
      return isCut ? withoutBeginning(piece, masker, shortest) : piece;
    })
    .join("");
}

/** A masking stream holds back what may become a value, and so shows where one begins. */
function withoutBeginning(piece: string, masker: Pick<Masker, "stream">, shortest: number): string {
  const shown = Buffer.from(masker.stream().push(Buffer.from(piece))).toString();
  return piece.length - shown.length < shortest && piece.startsWith(shown) ? piece : shown;
}
