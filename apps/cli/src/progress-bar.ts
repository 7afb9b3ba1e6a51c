import { isatty } from "node:tty";
import type { Terminal } from "./terminal.ts";

/** Told how much of how much is done. */
export type Progress = (done: number, total: number) => void;

/** Runs `work` with a progress bar where a person watches standard error, and without a word elsewhere. */
export async function withProgress<T>(
  terminal: Terminal,
  title: string,
  work: (progress: Progress) => Promise<T>,
): Promise<T> {
  if (terminal.quiet || terminal.json || !isatty(2)) return await work(() => undefined);
  const { progress } = await import("@clack/prompts");
  const bar = progress({ max: 1000, output: process.stderr });
  let shown = 0;
  bar.start(title);
  try {
    const result = await work((done, total) => {
      const now = total === 0 ? 1000 : Math.floor((done / total) * 1000);
      if (now > shown) bar.advance(now - shown, `${title}: ${done} of ${total}`);
      shown = Math.max(shown, now);
    });
    bar.stop(title);
    return result;
  } catch (error) {
    bar.error(title);
    throw error;
  }
}
