const ESCAPE = "\u001b";
const PASTE_START = `${ESCAPE}[200~`;
const PASTE_END = `${ESCAPE}[201~`;

/** A key that sends several characters, such as an arrow. They do not belong to the text. */
const ESCAPE_SEQUENCE = new RegExp(`^${ESCAPE}(?:\\[[0-?]*[ -/]*[@-~]|O[ -~])`);
/** The beginning of such a sequence. */
const ESCAPE_BEGINNING = new RegExp(`^${ESCAPE}(?:\\[[0-?]*[ -/]*|O)?$`);

/** Ctrl-C, Ctrl-D, Ctrl-\. */
const INTERRUPTS = new Set(["\u0003", "\u0004", "\u001c"]);

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/**
 * Collects the text typed or pasted at a prompt from the characters of a terminal in raw mode. A line break ends the
 * text only if nothing follows it, so that a paste is never cut, whether the terminal marks pastes or not.
 */
export class TypedText {
  isInterrupted = false;
  #text = "";
  /** Whether a line break came last. */
  #isEntered = false;
  #lastWasReturn = false;
  /** The text pasted so far; null outside of a marked paste. */
  #paste: string | null = null;
  /** The beginning of an escape sequence. */
  #pending = "";

  /** The text without one line break at its end. */
  get value(): string {
    return this.#text.replace(/\n$/, "");
  }

  get hasLines(): boolean {
    return this.value.includes("\n");
  }

  /** Whether more input may belong to the last one. If none comes for a while, call {@link settle}. */
  get isUnsettled(): boolean {
    return this.#paste === null && (this.#isEntered || this.hasLines || this.#pending !== "");
  }

  /** Called when nothing followed for a while. Returns whether the text is finished. */
  settle(): boolean {
    // A single Escape has no effect; what is typed next belongs to the text.
    this.#pending = "";
    // A slow terminal that does not mark pastes sends a PEM key line by line.
    if (/^\s*-----BEGIN [^\n]*-----/.test(this.#text) && !/-----END [^\n]*-----/.test(this.#text)) return false;
    return this.#isEntered || this.hasLines;
  }

  feed(chunk: string): void {
    // Ctrl-C and Ctrl-D also end a paste that never ends.
    if (chunk === "\u0003" || chunk === "\u0004") this.isInterrupted = true;
    let rest = this.#pending + chunk;
    this.#pending = "";
    while (rest !== "" && !this.isInterrupted) {
      rest = this.#paste === null ? this.#takeKey(rest) : this.#takePaste(this.#paste, rest);
    }
  }

  #takePaste(before: string, rest: string): string {
    const all = before + rest;
    // The end mark may be divided between two chunks.
    const end = all.indexOf(PASTE_END, Math.max(0, before.length - PASTE_END.length));
    if (end === -1) {
      this.#paste = all;
      return "";
    }
    this.#paste = null;
    this.#append(all.slice(0, end).replace(/\r\n?/g, "\n"));
    return all.slice(end + PASTE_END.length);
  }

  /** Takes the first key. Returns the rest. */
  #takeKey(text: string): string {
    if (text.startsWith(ESCAPE)) return this.#takeEscape(text);
    const [key = ""] = text;
    const wasReturn = this.#lastWasReturn;
    this.#lastWasReturn = key === "\r";
    if (key === "\r" || (key === "\n" && !wasReturn)) this.#enter();
    else if (INTERRUPTS.has(key)) this.isInterrupted = true;
    else if (key === "\u007f" || key === "\b") this.#edit(withoutLast);
    else if (key === "\u0015") this.#edit(() => "");
    else if (key === "\u0017") this.#edit((line) => line.replace(/\S*\s*$/, ""));
    else if (key === "\t" || key >= " ") this.#append(key);
    return text.slice(key.length);
  }

  #takeEscape(text: string): string {
    if (text.startsWith(PASTE_START)) {
      this.#paste = "";
      return text.slice(PASTE_START.length);
    }
    if (ESCAPE_BEGINNING.test(text)) {
      this.#pending = text;
      return "";
    }
    return text.slice(ESCAPE_SEQUENCE.exec(text)?.[0].length ?? 1);
  }

  #enter(): void {
    if (this.#isEntered) this.#text += "\n";
    this.#isEntered = true;
  }

  #append(text: string): void {
    if (this.#isEntered) this.#text += "\n";
    this.#isEntered = false;
    this.#text += text;
  }

  #edit(change: (text: string) => string): void {
    this.#isEntered = false;
    this.#text = change(this.#text);
  }
}

/** Removes what a person sees as the last character. */
function withoutLast(text: string): string {
  const last = [...graphemes.segment(text.slice(-64))].at(-1)?.segment ?? "";
  return text.slice(0, text.length - last.length);
}
