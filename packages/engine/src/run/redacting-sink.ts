import type { LogEvent, RunFinished, RunSink, TaskErrorInfo } from "@autokestra/runs";
import type { Masker } from "@autokestra/secrets-masker";
import type { RunMasks } from "./masks.ts";
import { toJson } from "./to-json.ts";

/** The one way out of a run: every event passes the masker, whatever sink comes behind. */
export interface RedactingSink {
  log(event: LogEvent): void;
  /** From now on what this task logs is held: not all that is secret in it is known. */
  hold(task: string): void;
  /** Where that of this task is held; undefined where it is not. */
  held(task: string): HeldOutput | undefined;
  /** Shows what of this task was held, as it is masked now. Returns how many bytes were too many to be held. */
  release(task: string): number;
  /** Forgets what of this task was held. Returns how many bytes that is. */
  drop(task: string): number;
  /** True until {@link close} or {@link finish}. */
  isOpen(): boolean;
  /** From now on nothing gets out. */
  close(): void;
  /** The last event. After it nothing gets out: a plugin's late log line would find the masker empty. */
  finish(event: Omit<RunFinished, "masked">): RunFinished;
}

/** In a log line, where a text is cut: fewer characters would hide words that a value begins with. */
const SHORTEST_BEGINNING = 16;

type SinkMasks = Pick<RunMasks, "mask" | "stream" | "maskBytes" | "maskValue" | "report">;

/**
 * What comes from outside is masked whole, and is what JSON can hold afterwards. What the engine itself wrote (time, level, event, ids, counts) stays as it is: these
 * are words and numbers that a short secret could equal.
 */
export function createRedactingSink(masks: SinkMasks, sink: RunSink): RedactingSink {
  let open = true;
  const holders = new Map<string, HeldOutput>();

  /** A copy: what it was made of can change until it is shown. */
  function maskEvent(event: LogEvent): LogEvent {
    const { message, workflow, data } = event;
    return {
      ...event,
      ...(workflow !== undefined && { workflow: masks.mask(workflow) }),
      message: maskCutText(message, masks, SHORTEST_BEGINNING),
      ...(data !== undefined && { data: masks.maskValue(data) }),
    };
  }

  /** What JSON holds of a masked value. A Buffer that was JSON before is a list of numbers: its bytes are masked here. */
  function maskedJson(masked: unknown): unknown {
    return toJson(masked, (bytes) => masks.maskBytes(bytes));
  }

  function withJson(event: LogEvent): LogEvent {
    return event.data === undefined ? event : { ...event, data: maskedJson(event.data) };
  }

  function maskError({ name, code, message, status }: TaskErrorInfo): TaskErrorInfo {
    const masked = { name: masks.mask(name), code: masks.mask(code), message: masks.mask(message) };
    return status === undefined ? masked : { ...masked, status };
  }

  /** @param event masked */
  function emit(event: LogEvent): void {
    if (!open) return;
    try {
      sink(withJson(event));
    } catch (error) {
      // The run ends here, and with it the masker: what still comes would get out as it is.
      open = false;
      throw error;
    }
  }

  function takeHeld(task: string): HeldOutput | undefined {
    const held = holders.get(task);
    holders.delete(task);
    return held;
  }

  return {
    log(event) {
      const masked = maskEvent(event);
      const held = event.event === "task.log" && event.task !== undefined ? holders.get(event.task) : undefined;
      if (held === undefined) emit(masked);
      else held.hold(JSON.stringify(withJson(masked)).length, () => emit(maskEvent(masked)));
    },
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
      const tasks = Object.entries(event.tasks).map(([id, { status, output, error }]) => [
        id,
        {
          status,
          ...(output === undefined ? {} : { output: maskedJson(masks.maskValue(output)) }),
          ...(error === undefined ? {} : { error: maskError(error) }),
        },
      ]);
      const finished: RunFinished = { ...event, tasks: Object.fromEntries(tasks), masked: masks.report() };
      sink(finished);
      return finished;
    },
  };
}

/** How much is held of one task, in bytes. */
const HELD_BYTES = 1024 * 1024;

/** Holds what a task shows until it is known what of it is secret. */
export class HeldOutput {
  #shows: (() => void)[] = [];
  #held = 0;
  #dropped = 0;

  /**
   * @param bytes how much it is
   * @param show shows it
   */
  hold(bytes: number, show: () => void): void {
    if (this.#dropped > 0 || this.#held + bytes > HELD_BYTES) {
      this.#dropped += bytes;
      return;
    }
    this.#held += bytes;
    this.#shows.push(show);
  }

  /** Shows what is held. Returns how many bytes were too many to be held, and are not shown. */
  release(): number {
    const shows = this.#shows;
    const dropped = this.#dropped;
    this.drop();
    for (const show of shows) show();
    return dropped;
  }

  /** Forgets what is held. Returns how many bytes that is, with those that were too many. */
  drop(): number {
    const bytes = this.#held + this.#dropped;
    this.#shows = [];
    this.#held = 0;
    this.#dropped = 0;
    return bytes;
  }
}

/** Plugins, libraries and Node itself write it where they cut a text: `Received type string ('abc...)`. */
const ELLIPSIS = /(…|\.{3,})/;

/**
 * Masks a text of which others may have cut pieces, and leaves out what stands before an ellipsis and can be the beginning of a value:
 * a masker finds whole values only.
 *
 * @param shortest fewer characters that a value begins with as well are chance
 */
export function maskCutText(text: string, masker: Pick<Masker, "mask" | "stream">, shortest: number): string {
  if (!ELLIPSIS.test(text)) return masker.mask(text);
  const pieces = masker.mask(text).split(ELLIPSIS);
  // Every second one is an ellipsis.
  return pieces
    .map((piece, at) => {
      const isCut = at % 2 === 0 && at < pieces.length - 1 && piece.length >= shortest;
      return isCut ? withoutBeginning(piece, masker, shortest) : piece;
    })
    .join("");
}

/** A stream holds back what may become a value. */
function withoutBeginning(piece: string, masker: Pick<Masker, "stream">, shortest: number): string {
  const shown = Buffer.from(masker.stream().push(Buffer.from(piece))).toString();
  return piece.length - shown.length < shortest && piece.startsWith(shown) ? piece : shown;
}
