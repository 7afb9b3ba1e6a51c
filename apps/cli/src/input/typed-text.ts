const ESCAPE = "\u001b";
const PASTE_START = `${ESCAPE}[200~`;
const PASTE_END = `${ESCAPE}[201~`;

/** A key that sends more than one character, such as an arrow: nothing of it belongs to the text. */
const ESCAPE_SEQUENCE = new RegExp(`^${ESCAPE}(?:\\[[0-?]*[ -/]*[@-~]|O[ -~])`);
/** The beginning of one. */
const ESCAPE_BEGINNING = new RegExp(`^${ESCAPE}(?:\\[[0-?]*[ -/]*|O)?$`);

/** Ctrl-C, Ctrl-D, Ctrl-\. */
const INTERRUPTS = new Set(["\u0003", "\u0004", "\u001c"]);

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/**
 * What is typed or pasted at a prompt, from the characters that a terminal in raw mode sends. A line break ends the text only where
 * nothing follows it: what a paste brings is never cut, whether the terminal marks pastes or not.
 */
export class TypedText {
  isInterrupted = false;
  #text = "";
  /** A line break was the last that came. */
  #isEntered = false;
  #lastWasReturn = false;
  /** What was pasted so far; null outside of a marked paste. */
  #paste: string | null = null;
  /** The beginning of a key that sends more. */
  #pending = "";

  /** Everything, less one line break at the end. */
  get value(): string {
    return this.#text.replace(/\n$/, "");
  }

  get hasLines(): boolean {
    return this.value.includes("\n");
  }

  /** Something may still come that belongs to what came last; once it has not, {@link settle}. */
  get isUnsettled(): boolean {
    return this.#paste === null && (this.#isEntered || this.hasLines || this.#pending !== "");
  }

  /** Nothing has followed for a while. Returns whether the text is finished. */
  settle(): boolean {
    // A single Escape stays without effect; what is typed next belongs to the text.
    this.#pending = "";
    // A key in PEM form is pasted line by line where the terminal is slow and does not mark pastes.
    if (/^\s*-----BEGIN [^\n]*-----/.test(this.#text) && !/-----END [^\n]*-----/.test(this.#text)) return false;
    return this.#isEntered || this.hasLines;
  }

  feed(chunk: string): void {
    // Where a paste never ends, Ctrl-C still does.
    if (chunk === "\u0003" || chunk === "\u0004") this.isInterrupted = true;
    let rest = this.#pending + chunk;
    this.#pending = "";
    while (rest !== "" && !this.isInterrupted) {
      rest = this.#paste === null ? this.#takeKey(rest) : this.#takePaste(this.#paste, rest);
    }
  }

  #takePaste(before: string, rest: string): string {
    const all = before + rest;
    // The mark may come in two parts: it is looked for in both together.
    const end = all.indexOf(PASTE_END, Math.max(0, before.length - PASTE_END.length));
    if (end === -1) {
      this.#paste = all;
      return "";
    }
    this.#paste = null;
    this.#append(all.slice(0, end).replace(/\r\n?/g, "\n"));
    return all.slice(end + PASTE_END.length);
  }

  /** Takes the first key. Returns what is left. */
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

/** Less what a person sees as its last character. */
function withoutLast(text: string): string {
  const last = [...graphemes.segment(text.slice(-64))].at(-1)?.segment ?? "";
  return text.slice(0, text.length - last.length);
}
