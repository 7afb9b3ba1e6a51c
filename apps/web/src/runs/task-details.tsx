import { countOf, formatDuration } from "../components/format.ts";
import { StateBadge } from "./states.tsx";
import { durationOf, type GraphTaskState } from "./task-states.ts";

interface TaskDetailsProps {
  readonly name: string;
  /** Null for a task that has not started. */
  readonly state: GraphTaskState | null;
  readonly now: number;
  readonly closeHref: string;
}

/** What a run tells about one of its tasks. */
export function TaskDetails({ name, state, now, closeHref }: TaskDetailsProps) {
  const duration = state === null ? null : durationOf(state, now);
  return (
    <section class="details" aria-label={`Task ${name}`}>
      <h3>
        {name} {state !== null && <StateBadge state={state.status} />} <a href={closeHref}>Close</a>
      </h3>
      {state === null ? (
        <p class="muted">It has not started.</p>
      ) : (
        <>
          <p class="muted">
            {[
              ...(duration === null ? [] : [`took ${formatDuration(duration)}`]),
              ...(state.attempts > 1 ? [countOf(state.attempts, "attempt")] : []),
              ...(state.items === null ? [] : [describeItems(state.items)]),
              "the log shows only this task",
            ].join(", ")}
          </p>
          {state.message !== null && state.status !== "success" && <p class="pre">{state.message}</p>}
          {state.output !== undefined && (
            <>
              <h4>Output</h4>
              <pre>{JSON.stringify(state.output, null, 2)}</pre>
            </>
          )}
        </>
      )}
    </section>
  );
}

function describeItems({ ended, failed, all }: NonNullable<GraphTaskState["items"]>): string {
  const end = ended === all ? countOf(all, "item") : `${ended} of ${countOf(all, "item")} that have started`;
  return failed === 0 ? end : `${end}, ${failed} failed`;
}
