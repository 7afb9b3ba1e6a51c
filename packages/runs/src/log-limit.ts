/** How much of the log lines of one run is recorded unless {@link KeptRuns} say otherwise, in MiB. */
const DEFAULT_MIB = 64;

/** A log line, or another event, as it is recorded. */
interface LogText {
  readonly json: string;
  /** The number of log lines that it is or replaces; 0 for an event that is always recorded. */
  readonly lines: number;
}

/** Bounds what is recorded of the log lines of one run: a task may print for ever. What the process prints of the run is not bounded. */
export class LogLimit {
  readonly #mib: number;
  /** What earlier attempts of the run have recorded, in bytes: it counts, too. */
  before = 0;
  #bytes = 0;
  #dropped = 0;

  constructor(mib: number = DEFAULT_MIB) {
    this.#mib = mib;
  }

  /**
   * Takes the next event.
   *
   * @returns whether it is recorded, and what is to be said of it, if anything
   */
  take({ json, lines }: LogText): { readonly isRecorded: boolean; readonly warning?: string } {
    if (lines === 0) return { isRecorded: true };
    this.#bytes += Buffer.byteLength(json);
    if (this.#dropped === 0 && this.before + this.#bytes <= this.#mib * 1024 * 1024) return { isRecorded: true };
    this.#dropped += lines;
    if (this.#dropped > lines) return { isRecorded: false };
    const warning = `the recorded log ends here: it has no more than ${this.#mib} MiB of lines. The run continues`;
    return { isRecorded: false, warning };
  }

  /** What is to be said at the end of the run; null for nothing. */
  end(): string | null {
    if (this.#dropped === 0) return null;
    return `${this.#dropped} log lines were not recorded: there were more than ${this.#mib} MiB of them`;
  }
}
