/** How much of one stream is kept, in bytes. */
const MAX_KEPT = 1024 * 1024;
/** A cut may fall into a secret, so it moves back to a line end, or as far as a secret may reach. */
const MAX_STEP_BACK = 64 * 1024;

const LAST_LINES = 20;
/** Longer lines are left out of an error: without their beginning, a secret in them could not be recognised. */
const MAX_LINE = 2000;
const KEPT_TAIL = 2 * LAST_LINES * MAX_LINE;

/** Keeps the beginning of a stream, and its last lines. */
export class OutputBuffer {
  readonly #chunks: Buffer[] = [];
  #kept = 0;
  readonly #tail: Buffer[] = [];
  #tailBytes = 0;
  #isTailCut = false;

  isTruncated = false;

  push(bytes: Buffer): void {
    const part = bytes.subarray(0, MAX_KEPT - this.#kept);
    if (part.length < bytes.length) this.isTruncated = true;
    if (part.length > 0) this.#chunks.push(part);
    this.#kept += part.length;
    this.#tail.push(bytes);
    this.#tailBytes += bytes.length;
    // Whole chunks are dropped, because joining them for each line would take longer than reading it.
    for (let [first] = this.#tail; first && this.#tailBytes - first.length >= KEPT_TAIL; [first] = this.#tail) {
      this.#tail.shift();
      this.#tailBytes -= first.length;
      this.#isTailCut = true;
    }
  }

  /** The beginning of the stream: all of it, or whole lines of up to 1 MiB. */
  text(): string {
    const all = Buffer.concat(this.#chunks);
    if (!this.isTruncated) return all.toString();
    const from = all.length - MAX_STEP_BACK;
    const lineEnd = all.subarray(from).lastIndexOf(10);
    return all.subarray(0, lineEnd === -1 ? from : from + lineEnd + 1).toString();
  }

  /** The last 20 lines. */
  lastLines(): string {
    const lines = Buffer.concat(this.#tail).toString().trimEnd().split("\n");
    // The first one may lack its beginning.
    if (this.#isTailCut) lines.shift();
    return lines
      .slice(-LAST_LINES)
      .map((line) => (line.length > MAX_LINE ? `[a line of ${line.length} characters]` : line))
      .join("\n");
  }
}
