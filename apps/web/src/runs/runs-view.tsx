import { Page } from "../components/page.tsx";
import { hrefOf, type Route } from "../router.ts";
import { RunList } from "./run-list.tsx";
import { RunPage } from "./run-page.tsx";
import { WorkflowList } from "./workflow-list.tsx";
import { WorkflowPage } from "./workflow-page.tsx";
import "./runs.css";

/** Runs and the workflows that they are of. */
export function RunsView({ route }: { route: Route }) {
  const [, first, workflow] = route.path;
  if (first === "workflows" && workflow !== undefined) return <WorkflowPage key={workflow} id={workflow} />;
  if (first !== undefined && first !== "workflows") return <RunPage key={first} id={first} route={route} />;
  const isWorkflows = first === "workflows";
  return (
    <Page key={first} title={isWorkflows ? "Workflows" : "Runs"} actions={<Tabs isWorkflows={isWorkflows} />}>
      {isWorkflows ? <WorkflowList /> : <RunList route={route} />}
    </Page>
  );
}

function Tabs({ isWorkflows }: { isWorkflows: boolean }) {
  return (
    <nav class="tabs" aria-label="Runs">
      <a href={hrefOf(["runs"])} aria-current={isWorkflows ? undefined : "page"}>
        Runs
      </a>
      <a href={hrefOf(["runs", "workflows"])} aria-current={isWorkflows ? "page" : undefined}>
        Workflows
      </a>
    </nav>
  );
}
