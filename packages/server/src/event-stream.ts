import { Readable } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { type RecordedEvent, type RunLedger, toJson } from "@autokestra/runs";

export interface EventStreamOptions {
  readonly ledger: Pick<RunLedger, "events">;
  readonly id: string;
  /** The place of the first event that is wanted, from 0. */
  readonly from: number;
  /** Whether the run waits still: it has no events then. */
  readonly isWaiting: () => Promise<boolean>;
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
  const stream = Readable.from(lines(options), { objectMode: false });
  // Between events: each is one piece. A timer for each event would take longer than to send it.
  const timer = setInterval(() => {
    if (stream.readableLength === 0 && !stream.readableEnded) stream.push(": keep-alive\n\n");
  }, KEEP_ALIVE_MS);
  stream.once("close", () => clearInterval(timer));
  return stream;
}

/** The events that a run has now, as JSON: a run can have more of them than fit into memory. */
export function createEventList(events: AsyncIterable<RecordedEvent>): Readable {
  return Readable.from(list(events), { objectMode: false });
}

async function* list(events: AsyncIterable<RecordedEvent>): AsyncIterable<string> {
  let before = "[";
  for await (const event of events) {
    yield before + toJson(event);
    before = ",";
  }
  yield before === "[" ? "[]" : "]";
}

async function* lines({ ledger, id, from, isWaiting, signal }: EventStreamOptions): AsyncIterable<string> {
  yield "retry: 1000\n\n";
  while (!signal.aborted && (await isWaiting()))
    await setTimeout(POLL_MS, undefined, { signal }).catch(() => undefined);
  let place = from;
  for await (const event of ledger.events(id, from, signal)) yield `id: ${place++}\ndata: ${toJson(event)}\n\n`;
  if (!signal.aborted) yield "event: end\ndata: {}\n\n";
}
