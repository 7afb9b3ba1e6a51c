import type { ApiWorkflow, ApiWorkflowGraph } from "@autokestra/server/answers";
import { pathOf } from "../api.ts";
import { EmptyState, Loading, ProblemMessage } from "../components/messages.tsx";
import { Card, Page } from "../components/page.tsx";
import { useLoaded, useSession } from "../hooks.ts";
import { hrefOf } from "../router.ts";
import { StartForm } from "./start-form.tsx";
import { TaskGraph } from "./task-graph.tsx";
import { BrokenFile, TriggerText, WorkflowState } from "./workflow-list.tsx";

/** One workflow: its tasks, what it takes, and the form that starts it. */
export function WorkflowPage({ id }: { id: string }) {
  const { api, may } = useSession();
  const { value, error, isLoading, reload } = useLoaded(
    async (signal) => {
      const [workflow, graph] = await Promise.all([
        api.get<ApiWorkflow>(pathOf`/workflows/${id}`, { signal }),
        api.get<ApiWorkflowGraph>(pathOf`/workflows/${id}/graph`, { signal }),
      ]);
      return { workflow, graph };
    },
    [id],
  );
  return (
    <Page
      title={id}
      back={{ href: hrefOf(["runs", "workflows"]), text: "Workflows" }}
      actions={
        <a class="button secondary outline" href={hrefOf(["runs"], { workflow: id })}>
          Its runs
        </a>
      }
    >
      <ProblemMessage error={error} onRetry={reload} />
      {value === null && isLoading && <Loading />}
      {value !== null && (
        <>
          <About workflow={value.workflow} />
          <Card title="Tasks">
            <TaskGraph graph={value.graph} label={`The tasks of ${id}`} />
          </Card>
          {may("runs:start") && (
            <Card title="Start it">
              {value.workflow.enabled ? (
                <StartForm key={id} workflow={value.workflow} />
              ) : (
                <EmptyState title="The workflow is disabled.">
                  <p>
                    Remove <code>enabled: false</code> from <code>{value.workflow.file}</code> to start it.
                  </p>
                </EmptyState>
              )}
            </Card>
          )}
        </>
      )}
    </Page>
  );
}

function About({ workflow }: { workflow: ApiWorkflow }) {
  const { may } = useSession();
  const { file, secrets } = workflow;
  return (
    <>
      <BrokenFile workflow={workflow} />
      <dl>
        <dt>State</dt>
        <dd>
          <WorkflowState workflow={workflow} />
        </dd>
        <dt>Starts</dt>
        <dd>
          <TriggerText workflow={workflow} />
        </dd>
        <dt>File</dt>
        <dd>
          <code>{file}</code>
        </dd>
        <dt>Secrets</dt>
        <dd>
          {secrets.length === 0 && "none"}
          {secrets.map((name, index) => (
            <span key={name}>
              {index > 0 && ", "}
              {may("secrets:read") ? <a href={hrefOf(["secrets"], { prefix: name })}>{name}</a> : name}
            </span>
          ))}
        </dd>
      </dl>
    </>
  );
}
