import { isTerminal, standardError, type Terminal } from "./terminal.ts";

const WIDTH = 30;
const CLEAR_LINE = "\r\u001b[K";

/** Reports how much of the total is done. */
type Progress = (done: number, total: number) => void;

/** What long work reports while it runs. */
interface Reporter {
  readonly onProgress: Progress;
  /** Prints a note above the bar. */
  readonly onNotice: (text: string) => void;
}

/**
 * Runs `work` with a progress bar if standard error is a terminal. Standard input is left untouched, so that Ctrl-C
 * still interrupts.
 */
export async function withProgress<T>(
  terminal: Terminal,
  title: string,
  work: (reporter: Reporter) => Promise<T>,
): Promise<T> {
  const isShown = !terminal.quiet && !terminal.json && isTerminal(2);
  const draw = (line: string) => {
    if (isShown) standardError().write(CLEAR_LINE + line);
  };
  let line = title;
  draw(line);
  try {
    return await work({
      onProgress(done, total) {
        const next = `${title} ${bar(done, total)} ${done} of ${total}`;
        if (next !== line) draw(next);
        line = next;
      },
      onNotice(text) {
        draw("");
        terminal.note(`note: ${text}`);
        draw(line);
      },
    });
  } finally {
    draw("");
  }
}

function bar(done: number, total: number): string {
  const filled = total === 0 ? WIDTH : Math.floor((done / total) * WIDTH);
  return `[${"=".repeat(filled)}${" ".repeat(WIDTH - filled)}]`;
}
