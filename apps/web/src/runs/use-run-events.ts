import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { ApiError } from "../api.ts";
import { useSession } from "../hooks.ts";
import { type Connection, followRun, type PlacedEvent } from "./follow-run.ts";
import { addEvents, type TaskStates } from "./task-states.ts";

/** The events of a run so far, and new ones. */
export interface RunEvents {
  /** In their order: the newest ones, if there are very many. */
  readonly events: readonly PlacedEvent[];
  readonly tasks: TaskStates;
  readonly connection: Connection;
  /** Why the stream has stopped; null otherwise. */
  readonly error: ApiError | null;
  /** Continues, with a run that was resumed or after an error. */
  readonly follow: () => void;
}

/** How many events are kept. Beyond it the oldest are let go. */
export const MOST_EVENTS = 20_000;

/** Events come faster than they can be read, so they are shown in batches. */
const FLUSH_MS = 100;

export function useRunEvents(runId: string): RunEvents {
  const { api } = useSession();
  const [state, setState] = useState<Omit<RunEvents, "follow">>(NOTHING_YET);
  const [round, setRound] = useState(0);
  const last = useRef(-1);

  useEffect(() => {
    const gone = new AbortController();
    let waiting: PlacedEvent[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;

    function flush(): void {
      timer = undefined;
      const fresh = waiting;
      waiting = [];
      setState(({ events, tasks, ...rest }) => ({
        ...rest,
        events: [...events, ...fresh].slice(-MOST_EVENTS),
        tasks: addEvents(tasks, fresh),
      }));
    }

    followRun({
      api,
      runId,
      last: last.current,
      signal: gone.signal,
      onEvents(events) {
        last.current = events.at(-1)?.place ?? last.current;
        waiting.push(...events);
        timer ??= setTimeout(flush, FLUSH_MS);
      },
      onConnection(connection) {
        // What has ended shows everything.
        if (waiting.length > 0 && connection === "ended") {
          clearTimeout(timer);
          flush();
        }
        setState((before) => ({ ...before, connection, error: null }));
      },
    }).catch((error: ApiError) => setState((before) => ({ ...before, connection: "ended", error })));

    return () => {
      gone.abort();
      clearTimeout(timer);
      // The next effect, of a run that continues, shows them.
      if (waiting.length > 0) flush();
    };
  }, [api, runId, round]);

  const follow = useCallback(() => setRound((before) => before + 1), []);
  return { ...state, follow };
}

const NOTHING_YET: Omit<RunEvents, "follow"> = {
  events: [],
  tasks: new Map(),
  connection: "connecting",
  error: null,
};
