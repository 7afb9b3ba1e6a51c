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
          {value.filter(isBroken).map((workflow) => (
            <BrokenFile key={workflow.file} workflow={workflow} />
          ))}
          <DataTable caption="Workflows" columns={COLUMNS} rows={value} keyOf={({ file }) => file} />
          <p class="fine">{countOf(value.length, "workflow")}</p>
        </>
      )}
    </>
  );
}

function isBroken({ problem, problems }: ApiWorkflow): boolean {
  return problem !== null || wouldFail(problems);
}

function wouldFail(problems: ApiWorkflow["problems"]): boolean {
  return problems.some(({ severity }) => severity === "error");
}

/** A file that cannot be used as it is now, or that a check finds something wrong with. */
export function BrokenFile({ workflow }: { workflow: ApiWorkflow }) {
  const { id, file, problem } = workflow;
  if (problem === null) return <CheckedFile workflow={workflow} />;
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

/** What a check says of a workflow: it would fail, or it is only warned of something. */
function CheckedFile({ workflow: { file, problems } }: { workflow: ApiWorkflow }) {
  const told = problems.filter(({ severity }) => severity !== "note");
  if (told.length === 0) return null;
  const isWrong = wouldFail(problems);
  return (
    <section class={isWrong ? "problem" : "card"} aria-label={`Check of ${file}`}>
      <p>
        <code>{file}</code> {isWrong ? "would fail if it was started now." : "can be started. A check warns:"}
      </p>
      <ul>
        {told.map(({ severity, message, hint, line }) => (
          <li key={`${line} ${message}`}>
            {isWrong && severity === "warning" && "Warning: "}
            {line !== undefined && `Line ${line}: `}
            {message}
            {hint !== undefined && <span class="fine under">{hint}</span>}
          </li>
        ))}
      </ul>
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

export function WorkflowState({ workflow: { enabled, problem, problems } }: { workflow: ApiWorkflow }) {
  if (problem !== null) return <Badge tone="bad">Broken file</Badge>;
  if (wouldFail(problems)) return <Badge tone="bad">Would fail</Badge>;
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
