import { Readable } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { type RecordedEvent, type RunLedger, toJson } from "@autokestra/runs";

export interface EventStreamOptions {
  readonly ledger: Pick<RunLedger, "events">;
  readonly id: string;
  /** The place of the first event that is wanted, from 0. */
  readonly from: number;
  /** Whether the run waits still: it has no events then. */
  readonly isWaiting: () => boolean;
  /** Ends the stream. */
  readonly signal: AbortSignal;
}

/** Proxies and clients take a connection without a word for a dead one. */
const KEEP_ALIVE_MS = 15_000;

/** How often a run that waits is looked at. */
const POLL_MS = 200;

/**
 * The events of a run as Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html), and those to come until
 * the run ends. The id of each is its place in the run, so that a client that comes back gets what it has missed. The last event is
 * `end`: without it, a client comes back for ever.
 */
export function createEventStream(options: EventStreamOptions): Readable {
  return Readable.from(lines(options), { objectMode: false });
}

async function* lines({ ledger, id, from, isWaiting, signal }: EventStreamOptions): AsyncIterable<string> {
  yield "retry: 1000\n\n";
  let keptAlive = performance.now();
  while (isWaiting() && !signal.aborted) {
    if (performance.now() - keptAlive >= KEEP_ALIVE_MS) {
      keptAlive = performance.now();
      yield KEEP_ALIVE;
    }
    await setTimeout(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
  let place = from;
  for await (const event of withPauses(ledger.events(id, from, signal))) {
    yield event === null ? KEEP_ALIVE : `id: ${place++}\ndata: ${toJson(event)}\n\n`;
  }
  if (!signal.aborted) yield "event: end\ndata: {}\n\n";
}

const KEEP_ALIVE = ": keep-alive\n\n";

/** The events, and null where there was none for a while. */
async function* withPauses(events: AsyncIterable<RecordedEvent>): AsyncIterable<RecordedEvent | null> {
  const iterator = events[Symbol.asyncIterator]();
  try {
    for (let next = iterator.next(); ; ) {
      const pause = new AbortController();
      const first = await Promise.race([
        next,
        setTimeout(KEEP_ALIVE_MS, null, { signal: pause.signal }).catch(() => null),
      ]);
      pause.abort();
      if (first === null) yield null;
      else if (first.done === true) return;
      else {
        yield first.value;
        next = iterator.next();
      }
    }
  } finally {
    await iterator.return?.();
  }
}
