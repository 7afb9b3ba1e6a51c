import type { ApiRun } from "@autokestra/server/answers";
import { useEffect } from "preact/hooks";
import { CursorPager, cursorsOf } from "../components/cursor-pager.tsx";
import { type Column, DataTable } from "../components/data-table.tsx";
import { FilterForm, FilterText } from "../components/filters.tsx";
import { countOf, formatDuration, shortId } from "../components/format.ts";
import { EmptyState, Loading, ProblemMessage, Time } from "../components/messages.tsx";
import { type Loaded, useLoaded, useSession } from "../hooks.ts";
import { hrefOf, type Route, replaceRoute } from "../router.ts";
import { isGoingOn, lookOf, StateBadge } from "./states.tsx";

const PAGE_SIZE = 25;

/** What the server can filter by. */
const STATES = ["queued", "running", "success", "failed", "cancelled", "lost", "unknown"] as const;

/** How often the list is loaded again: while a run goes on, and otherwise. */
const BUSY_MS = 2000;
const IDLE_MS = 20_000;

interface Filter {
  readonly workflow: string;
  readonly status: string;
}

/** The runs, the newest first. */
export function RunList({ route }: { route: Route }) {
  const filter = { workflow: route.query.get("workflow") ?? "", status: route.query.get("status") ?? "" };
  const cursors = cursorsOf(route);
  const { value, error, isLoading, reload } = useRuns(filter, cursors.at(-1));
  const waiting = value?.filter(({ status }) => status === "queued").length ?? 0;
  const runs = value?.slice(0, waiting + PAGE_SIZE) ?? [];
  return (
    <>
      <Filters filter={filter} />
      <ProblemMessage error={error} onRetry={reload} />
      {value === null && isLoading && <Loading />}
      {value !== null && runs.length === 0 && (
        <NoRuns isAll={cursors.length === 0 && filter.workflow === "" && filter.status === ""} />
      )}
      {runs.length > 0 && (
        <>
          <DataTable
            caption="Runs, the newest first"
            columns={COLUMNS}
            rows={runs}
            keyOf={({ execution }) => execution}
          />
          <CursorPager
            route={route}
            cursors={cursors}
            summary={`${countOf(runs.length, "run")}, the newest first`}
            next={(value?.length ?? 0) > runs.length ? runs.at(-1)?.execution : undefined}
          />
        </>
      )}
    </>
  );
}

/** One page of runs and the first of the next page, loaded again and again. On the first page, those that wait come before all others. */
function useRuns(filter: Filter, after: string | undefined): Loaded<readonly ApiRun[]> {
  const { api } = useSession();
  const query = { ...filter, after, limit: PAGE_SIZE + 1 };
  const loaded = useLoaded(
    async (signal) => {
      const list = async (of: typeof query) => await api.get<readonly ApiRun[]>("/runs", { query: of, signal });
      const isFirst = after === undefined && filter.status === "";
      const [waiting, others] = await Promise.all([isFirst ? list({ ...query, status: "queued" }) : [], list(query)]);
      // A run that is resumed waits too, and is among the others from before.
      return [...waiting, ...others.filter(({ execution }) => waiting.every((run) => run.execution !== execution))];
    },
    [filter.workflow, filter.status, after],
  );
  const { value, error, reload } = loaded;
  useEffect(() => {
    const timer = setTimeout(reload, value?.some(isGoingOn) === true ? BUSY_MS : IDLE_MS);
    return () => clearTimeout(timer);
  }, [value, error]);
  return loaded;
}

function Filters({ filter }: { filter: Filter }) {
  const set = (change: Partial<Filter>) => replaceRoute(hrefOf(["runs"], { ...filter, ...change }));
  return (
    <FilterForm>
      <FilterText label="Workflow" value={filter.workflow} onChange={(workflow) => set({ workflow })} />
      <label>
        State
        <select value={filter.status} onChange={(event) => set({ status: event.currentTarget.value })}>
          <option value="">All states</option>
          {STATES.map((state) => (
            <option key={state} value={state}>
              {lookOf(state).text}
            </option>
          ))}
        </select>
      </label>
    </FilterForm>
  );
}

function NoRuns({ isAll }: { isAll: boolean }) {
  const { may } = useSession();
  if (!isAll) {
    return (
      <EmptyState title="No run is like this.">
        <a href={hrefOf(["runs"])}>Show all runs</a>
      </EmptyState>
    );
  }
  return (
    <EmptyState title="Nothing has run yet.">
      <p>
        {may("runs:start") ? "Start" : "Look at"} one of the{" "}
        <a href={hrefOf(["runs", "workflows"])}>workflows of this server</a>. Their runs are listed here.
      </p>
    </EmptyState>
  );
}

const COLUMNS: readonly Column<ApiRun>[] = [
  {
    header: "Workflow",
    cell: ({ execution, workflow }) => (
      <a href={hrefOf(["runs", execution])}>
        {workflow}
        <span class="visually-hidden"> {shortId(execution)}</span>
      </a>
    ),
  },
  { header: "State", cell: ({ status }) => <StateBadge state={status} /> },
  { header: "Started", cell: ({ startedAt }) => (startedAt === null ? "–" : <Time iso={startedAt} />) },
  { header: "Took", cell: ({ durationMs }) => (durationMs === null ? "–" : formatDuration(durationMs)), isWide: true },
  { header: "Masked", cell: ({ masked }) => describeMasked(masked), isWide: true },
  { header: "Run", cell: ({ execution }) => <code>{shortId(execution)}</code>, isWide: true },
];

/** `12 times` */
function describeMasked(masked: ApiRun["masked"]): string {
  const count = Object.values(masked).reduce((sum, each) => sum + each.count, 0);
  return count === 0 ? "–" : countOf(count, "time");
}
