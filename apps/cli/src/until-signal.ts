import { SIGNAL_EXITS } from "./exit-code.ts";

type EndingSignal = keyof typeof SIGNAL_EXITS;

/** What work has come to. */
export interface Outcome<T> {
  readonly result: T;
  /** The exit code of the signal that has ended it early; null where none came. */
  readonly signalExit: number | null;
}

/**
 * Runs work that Ctrl-C and other signals end between two steps. A second signal ends the process at once.
 *
 * @param work is told by the signal that it shall end
 */
export async function untilSignal<T>(work: (signal: AbortSignal) => Promise<T>): Promise<Outcome<T>> {
  const cancel = new AbortController();
  let signalExit: number | null = null;
  const end = (name: EndingSignal): void => {
    if (signalExit !== null) process.exit(SIGNAL_EXITS[name]);
    signalExit = SIGNAL_EXITS[name];
    cancel.abort();
  };
  const names = Object.keys(SIGNAL_EXITS) as EndingSignal[];
  for (const name of names) process.on(name, end);
  try {
    const result = await work(cancel.signal);
    return { result, signalExit };
  } finally {
    for (const name of names) process.off(name, end);
  }
}
