import type { ApiRunEvent } from "@autokestra/server/answers";
import { type Api, ApiError, pathOf } from "../api.ts";
import { createEventReader, type ServerSentEvent } from "./server-sent-events.ts";

/** An event with its place in the run, from 0. */
export type PlacedEvent = ApiRunEvent & { readonly place: number };

/** `cut`: the connection was lost, and is made again. */
export type Connection = "connecting" | "live" | "cut" | "ended";

interface FollowOptions {
  readonly api: Api;
  readonly runId: string;
  /** The place of the last event that is known; -1 for none. */
  readonly last: number;
  readonly signal: AbortSignal;
  /** Gets each event once, in their order. */
  readonly onEvents: (events: readonly PlacedEvent[]) => void;
  readonly onConnection: (connection: Connection) => void;
}

/** The server says something every 15 seconds: a connection that is silent for longer than this is dead. */
const SILENCE_MS = 45_000;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Follows a run until its end, and reconnects if the connection is lost: after one second, two, four, up to half a minute.
 * `EventSource` would do that by itself, but cannot send a token in a header.
 *
 * @throws ApiError where coming back would not help
 */
export async function followRun({ api, runId, signal, onEvents, onConnection, ...from }: FollowOptions): Promise<void> {
  let { last } = from;
  let failures = 0;

  /** Returns whether the run has ended. */
  function take(received: readonly ServerSentEvent[]): boolean {
    const events = received.flatMap(({ id, type, data }) => {
      const place = Number(id ?? last + 1);
      return type === "message" && place > last ? [{ ...(JSON.parse(data) as ApiRunEvent), place }] : [];
    });
    last = events.at(-1)?.place ?? last;
    if (events.length > 0) onEvents(events);
    return received.some(({ type }) => type === "end");
  }

  while (!signal.aborted) {
    try {
      const silence = createSilenceWatch(signal);
      const headers = { accept: "text/event-stream", ...(last >= 0 && { "last-event-id": String(last) }) };
      const response = await api.open(pathOf`/runs/${runId}/events`, { headers, signal: silence.signal });
      onConnection("live");
      const read = createEventReader();
      for await (const text of textsOf(response)) {
        silence.heard();
        failures = 0;
        if (take(read(text))) return onConnection("ended");
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && !isPassing(error)) throw error;
    }
    onConnection("cut");
    await pause(Math.min(LONGEST_PAUSE_MS, 1000 * 2 ** failures++), signal);
  }
}

function isPassing({ status }: ApiError): boolean {
  return status === 0 || status === 429 || status >= 500;
}

interface SilenceWatch {
  /** Aborted by the signal that it was made with, and after a silence. */
  readonly signal: AbortSignal;
  readonly heard: () => void;
}

function createSilenceWatch(outer: AbortSignal): SilenceWatch {
  const dead = new AbortController();
  let timer = setTimeout(() => dead.abort(), SILENCE_MS);
  outer.addEventListener("abort", () => clearTimeout(timer), { once: true });
  return {
    signal: AbortSignal.any([outer, dead.signal]),
    heard() {
      clearTimeout(timer);
      timer = setTimeout(() => dead.abort(), SILENCE_MS);
    },
  };
}

async function* textsOf({ body }: Response): AsyncIterable<string> {
  if (body === null) return;
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
