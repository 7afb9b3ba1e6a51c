import type { LogEvent, RunFinished, RunSink, RunStarted, TaskErrorInfo, TaskResult } from "@autokestra/runs";
import type { Masker } from "@autokestra/secrets-masker";
import type { RunMasks } from "./masks.ts";
import { toJson } from "./to-json.ts";

/** The shortest beginning of a value to hide before a cut in a log line. Shorter ones would hide ordinary words. */
const SHORTEST_BEGINNING = 16;

type SinkMasks = Pick<RunMasks, "mask" | "stream" | "maskBytes" | "maskValue" | "count" | "report">;

/**
 * The only way out of a run. Every event passes the masker before it gets to the sink of the program: everything that
 * comes from actions is masked and turned into JSON. What the engine itself writes (time, level, event, ids, counts) is
 * not masked, because a short secret could equal such words and numbers.
 */
export class RedactingSink {
  readonly #masks: SinkMasks;
  readonly #events: EventMasker;
  readonly #sink: RunSink;
  readonly #holders = new Map<string, HeldOutput>();
  #isOpen = true;

  constructor(masks: SinkMasks, sink: RunSink) {
    this.#masks = masks;
    this.#events = new EventMasker(masks);
    this.#sink = sink;
  }

  start(event: RunStarted): void {
    this.#emit(this.#events.mask({ ...event, workflow: this.#masks.mask(event.workflow) }));
  }

  log(event: LogEvent): void {
    const { task } = event;
    this.#events.ofTask(task, () => {
      const masked = this.#events.mask(event);
      const held = event.event === "task.log" && task !== undefined ? this.#holders.get(task) : undefined;
      if (held === undefined) {
        this.#emit(masked);
        return;
      }
      const show = () => this.#events.ofTask(task, () => this.#emit(this.#events.mask(masked)));
      held.hold(JSON.stringify(this.#events.withJson(masked)).length, show);
    });
  }

  /** Holds what this task logs from now on, because not all of its secrets are known yet. */
  hold(task: string): void {
    this.#holders.set(task, new HeldOutput());
  }

  /** The held output of a task; undefined if nothing is held for it. */
  held(task: string): HeldOutput | undefined {
    return this.#holders.get(task);
  }

  /**
   * Shows what was held for this task, masked with the values known now. Returns the number of bytes that did not fit.
   */
  release(task: string): number {
    return this.#takeHeld(task)?.release() ?? 0;
  }

  /** Drops what was held for this task. Returns the number of bytes. */
  drop(task: string): number {
    return this.#takeHeld(task)?.drop() ?? 0;
  }

  /** True until {@link close} or {@link finish}. */
  isOpen(): boolean {
    return this.#isOpen;
  }

  /** Stops all output. */
  close(): void {
    this.#isOpen = false;
  }

  /** Writes the last event and stops all output: the masker is empty when a plugin logs later. */
  finish(event: Omit<RunFinished, "masked">): RunFinished {
    this.#isOpen = false;
    const finished = this.#events.finished(event);
    this.#sink(finished);
    return finished;
  }

  /** @param event masked */
  #emit(event: LogEvent | RunStarted): void {
    if (!this.#isOpen) return;
    try {
      this.#sink(this.#events.withJson(event));
    } catch (error) {
      // The run ends here and the masker is disposed: later events would get out unmasked.
      this.#isOpen = false;
      throw error;
    }
  }

  #takeHeld(task: string): HeldOutput | undefined {
    const held = this.#holders.get(task);
    this.#holders.delete(task);
    return held;
  }
}

/** Masks the events of a run. */
class EventMasker {
  readonly #masks: SinkMasks;

  constructor(masks: SinkMasks) {
    this.#masks = masks;
  }

  /** Copies the event, because an action can change its data before it is shown. */
  mask<Event extends LogEvent | RunStarted>(event: Event): Event {
    const { message, data } = event;
    return {
      ...event,
      message: maskCutText(message, this.#masks, SHORTEST_BEGINNING),
      ...(data !== undefined && { data: this.#masks.maskValue(data) }),
    };
  }

  /** Turns the data of a masked event into JSON. */
  withJson<Event extends LogEvent | RunStarted>(event: Event): Event {
    return event.data === undefined ? event : { ...event, data: this.#toJson(event.data) };
  }

  finished(event: Omit<RunFinished, "masked">): RunFinished {
    const tasks = Object.entries(event.tasks).map(([id, result]) => [id, this.#result(id, result)]);
    const outputs = event.outputs === undefined ? {} : { outputs: this.#outputs(event.outputs) };
    return { ...event, tasks: Object.fromEntries(tasks), ...outputs, masked: this.#masks.report() };
  }

  /** Counts what is masked meanwhile for a task. */
  ofTask<T>(task: string | undefined, work: () => T): T {
    return task === undefined ? work() : this.#masks.count(task, work);
  }

  #result(id: string, { status, output, error }: TaskResult): TaskResult {
    const shown = this.ofTask(id, () => ({
      status,
      ...(output === undefined ? {} : { output: this.#toJson(this.#masks.maskValue(output)) }),
      ...(error === undefined ? {} : { error: this.#error(error) }),
    }));
    const masked = this.#masks.report(id);
    return Object.keys(masked).length === 0 ? shown : { ...shown, masked };
  }

  #error({ name, code, message, status }: TaskErrorInfo): TaskErrorInfo {
    const masks = this.#masks;
    const masked = { name: masks.mask(name), code: masks.mask(code), message: masks.mask(message) };
    return status === undefined ? masked : { ...masked, status };
  }

  /** Masking keeps objects objects, unless it fails. */
  #outputs(outputs: NonNullable<RunFinished["outputs"]>): Record<string, unknown> {
    const json = this.#toJson(this.#masks.maskValue(outputs));
    return typeof json === "object" && json !== null ? { ...json } : { redacted: json };
  }

  /** Turns a masked value into JSON. Buffers become lists of numbers there, so their bytes are masked here. */
  #toJson(masked: unknown): unknown {
    return toJson(masked, (bytes) => this.#masks.maskBytes(bytes));
  }
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
