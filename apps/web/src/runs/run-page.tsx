import type { ApiRun, ApiWorkflowGraph } from "@autokestra/server/answers";
import { useEffect, useMemo, useState } from "preact/hooks";
import { pathOf } from "../api.ts";
import { formatDuration } from "../components/format.ts";
import { Loading, ProblemMessage, Time } from "../components/messages.tsx";
import { Card, Page } from "../components/page.tsx";
import { useLoaded, useSession } from "../hooks.ts";
import { hrefOf, type Route } from "../router.ts";
import type { PlacedEvent } from "./follow-run.ts";
import { RunActions } from "./run-actions.tsx";
import { RunLog } from "./run-log.tsx";
import { RunSecrets } from "./run-secrets.tsx";
import { explainState, isGoingOn, StateBadge } from "./states.tsx";
import { TaskDetails } from "./task-details.tsx";
import { TaskGraph } from "./task-graph.tsx";
import { describeTasks, TaskList } from "./task-list.tsx";
import { statesOfGraph } from "./task-states.ts";
import { useRunEvents } from "./use-run-events.ts";

/** How often it is looked whether a run whose log is complete has ended. */
const ENDING_MS = 1000;

/** One run: its tasks, its log while it comes, and its secrets. */
export function RunPage({ id, route }: { id: string; route: Route }) {
  const { api } = useSession();
  const log = useRunEvents(id);
  const task = route.query.get("task");
  // It starts, and it ends: its summary is another one then.
  const hasStarted = log.events.length > 0;
  const run = useLoaded(
    async (signal) => await api.get<ApiRun>(pathOf`/runs/${id}`, { signal }),
    [id, hasStarted, log.connection === "ended"],
  );
  // Its last event comes a moment before the server is done with it.
  useEffect(() => {
    const isComplete = log.connection === "ended" && log.error === null;
    if (!isComplete || run.value === null || !isGoingOn(run.value)) return undefined;
    const timer = setTimeout(run.reload, ENDING_MS);
    return () => clearTimeout(timer);
  }, [log.connection, run.value]);
  const back = { href: hrefOf(["runs"]), text: "Runs" };
  if (run.value === null) {
    return (
      <Page title="Run" back={back}>
        <ProblemMessage error={run.error} onRetry={run.reload} />
        {run.isLoading && <Loading />}
      </Page>
    );
  }
  const again = () => {
    run.reload();
    log.follow();
  };
  return (
    <Page title={run.value.workflow} back={back} actions={<RunActions run={run.value} task={task} onChange={again} />}>
      <Summary run={run.value} />
      <ProblemMessage error={run.error ?? log.error} onRetry={again} />
      <Failure events={log.events} />
      <Tasks run={run.value} task={task} states={statesOfGraph(log.tasks)} />
      <Card title="Log">
        <RunLog events={log.events} connection={log.connection} task={task} />
      </Card>
      <Outputs events={log.events} />
      <Card title="Secrets">
        <RunSecrets runId={id} status={run.value.status} />
      </Card>
    </Page>
  );
}

function Summary({ run }: { run: ApiRun }) {
  const { may, info } = useSession();
  const { execution, status, startedAt, durationMs } = run;
  const explanation = explainState(run);
  useNow(isGoingOn(run));
  return (
    <div class="summary">
      <p>
        <StateBadge state={status} />
        {startedAt !== null && (
          <span>
            started <Time iso={startedAt} />
          </span>
        )}
        {durationMs !== null && <span>took {formatDuration(durationMs)}</span>}
        <code>{execution}</code>
        {may("audit:read") && info.parts.audit && (
          <a href={hrefOf(["audit"], { execution })}>Its records in the audit log</a>
        )}
      </p>
      {explanation !== null && <p class="muted">{explanation}</p>}
    </div>
  );
}

/** What went wrong first: what people look for in the log of a run that has failed. */
function Failure({ events }: { events: readonly PlacedEvent[] }) {
  const end = events.at(-1);
  if (end?.event !== "run.finished" || end.status !== "failed") return null;
  const first = events.findLast((event) => event.event === "run.started")?.place ?? 0;
  const cause = events.find(
    (event) =>
      event.place > first &&
      event.level === "error" &&
      (event.event === "run.warning" || (event.event === "task.finished" && event.status === "failed")),
  );
  if (cause === undefined || !("message" in cause)) return null;
  const task = "task" in cause ? cause.task : undefined;
  return (
    <div class="problem">
      <p>
        {task !== undefined && <strong>{task} </strong>}
        <span class="pre">{cause.message}</span>
      </p>
    </div>
  );
}

interface TasksProps {
  readonly run: ApiRun;
  readonly task: string | null;
  readonly states: ReturnType<typeof statesOfGraph>;
}

function Tasks({ run, task, states }: TasksProps) {
  const { api } = useSession();
  const graph = useLoaded(
    async (signal) => await api.get<ApiWorkflowGraph>(pathOf`/workflows/${run.workflow}/graph`, { signal }),
    [run.workflow],
  );
  const now = useNow(isGoingOn(run));
  const known = useMemo(() => (graph.value === null ? new Map() : describeTasks(graph.value)), [graph.value]);
  const unknown = new Map([...states].filter(([name]) => !known.has(name)));
  const hrefOfTask = (name: string) => hrefOf(["runs", run.execution], name === task ? {} : { task: name });
  return (
    <Card title="Tasks">
      {graph.value !== null && (
        <TaskGraph
          graph={graph.value}
          label={`The tasks of ${run.workflow}`}
          run={{ states, isGoingOn: isGoingOn(run), now, selected: task, hrefOf: hrefOfTask }}
        />
      )}
      {graph.error?.status !== 404 && <ProblemMessage error={graph.error} onRetry={graph.reload} />}
      {unknown.size > 0 && !graph.isLoading && (
        <>
          <p class="muted">
            {graph.value === null
              ? "There is no picture: the workflow came as text, or is not in the folder of the server any more."
              : "The workflow has changed since. It had these tasks too:"}
          </p>
          <TaskList states={unknown} now={now} hrefOf={hrefOfTask} />
        </>
      )}
      {task !== null && (
        <TaskDetails name={task} state={states.get(task) ?? null} now={now} closeHref={hrefOfTask(task)} />
      )}
    </Card>
  );
}

/** The current time, updated while something runs. */
function useNow(isTicking: boolean): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!isTicking) return undefined;
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [isTicking]);
  return now;
}

function Outputs({ events }: { events: readonly PlacedEvent[] }) {
  const end = events.at(-1);
  if (end?.event !== "run.finished" || end.outputs === undefined) return null;
  return (
    <Card title="Outputs">
      <pre>{JSON.stringify(end.outputs, null, 2)}</pre>
    </Card>
  );
}
