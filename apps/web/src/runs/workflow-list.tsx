import type { ApiWorkflow } from "@autokestra/server/answers";
import { type Column, DataTable } from "../components/data-table.tsx";
import { countOf } from "../components/format.ts";
import { Badge, EmptyState, Loading, ProblemMessage, Time } from "../components/messages.tsx";
import { useLoaded, useSession } from "../hooks.ts";
import { hrefOf } from "../router.ts";

/** The workflows of the server, and what is wrong with their files. */
export function WorkflowList() {
  const { api } = useSession();
  const { value, error, isLoading, reload } = useLoaded(
    async (signal) => await api.get<readonly ApiWorkflow[]>("/workflows", { signal }),
    [],
  );
  return (
    <>
      <ProblemMessage error={error} onRetry={reload} />
      {value === null && isLoading && <Loading />}
      {value?.length === 0 && (
        <EmptyState title="There is no workflow.">
          <p>
            The server was started without a folder of workflows, the folder is empty, or your token may not see the
            secrets of any of them. They come from the folder of <code>--workflows</code>.
          </p>
        </EmptyState>
      )}
      {value !== null && value.length > 0 && (
        <>
          {value.map((workflow) => (
            <BrokenFile key={workflow.file} workflow={workflow} />
          ))}
          <DataTable caption="Workflows" columns={COLUMNS} rows={value} keyOf={({ file }) => file} />
          <p class="fine">{countOf(value.length, "workflow")}</p>
        </>
      )}
    </>
  );
}

/** A file that cannot be used as it is now. */
export function BrokenFile({ workflow: { id, file, problem } }: { workflow: ApiWorkflow }) {
  if (problem === null) return null;
  return (
    <section class="problem" aria-label={`Problem of ${file}`}>
      <p>
        <code>{file}</code> cannot be used as it is now
        {id === null ? "." : <>, so the version of {id} before stays in use.</>}
      </p>
      <pre>{problem}</pre>
    </section>
  );
}

const COLUMNS: readonly Column<ApiWorkflow>[] = [
  {
    header: "Workflow",
    cell: ({ id, file }) => (
      <>
        {id === null ? file : <a href={hrefOf(["runs", "workflows", id])}>{id}</a>}
        {id !== null && <span class="description">{file}</span>}
      </>
    ),
  },
  { header: "State", cell: (workflow) => <WorkflowState workflow={workflow} /> },
  { header: "Starts", cell: (workflow) => <TriggerText workflow={workflow} /> },
  { header: "Secrets", cell: ({ secrets }) => (secrets.length === 0 ? "–" : secrets.join(", ")), isWide: true },
];

export function WorkflowState({ workflow: { enabled, problem } }: { workflow: ApiWorkflow }) {
  if (problem !== null) return <Badge tone="bad">Broken file</Badge>;
  return enabled ? <Badge tone="good">Ready</Badge> : <Badge>Disabled</Badge>;
}

/** What starts a workflow, besides people. */
export function TriggerText({ workflow: { trigger, nextTime } }: { workflow: ApiWorkflow }) {
  if (trigger === null) return <>by hand</>;
  if (trigger.type === "webhook") return <>by webhook</>;
  const { cron, timeZone } = trigger;
  return (
    <>
      <code>{String(cron)}</code>
      {typeof timeZone === "string" && ` ${timeZone}`}
      {nextTime !== null && (
        <span class="fine">
          {" "}
          next <Time iso={nextTime} />
        </span>
      )}
    </>
  );
}
