import type { ParsedWorkflow } from "@autokestra/engine";
import { workflowFile } from "@autokestra/engine/internal";
import { isNarrowed, isVisible } from "@autokestra/secrets";
import { hasCode, parseSecretName } from "@autokestra/secrets-core";
import { forbidden } from "./access-control.ts";
import type { ApiCall } from "./api-route.ts";
import { createFoundSecrets, type FoundSecrets } from "./found-secrets.ts";
import type { Principal } from "./principal.ts";
import type { RunService, ServedRun, ServedRuns } from "./run-service.ts";
import type { WorkflowFolder } from "./workflow-folder.ts";

/** The workflows that somebody may see: those all of whose secrets they may see; and their runs, which may have had others. */
interface VisibleWorkflows {
  get(id: string): Promise<ParsedWorkflow | null>;
  has(workflow: ParsedWorkflow): Promise<boolean>;
  /** Whether a run may be seen. A narrowed token sees none that came as text, whatever id that has. */
  covers(run: Pick<ServedRun, "execution" | "workflow">): Promise<boolean>;
}

/** What the routes of workflows and runs work with. */
export interface RunCall extends ApiCall {
  readonly found: FoundSecrets;
  readonly visible: VisibleWorkflows;
}

export function toRunCall({ workflows, runs }: Pick<ServedRuns, "workflows" | "runs">, call: ApiCall): RunCall {
  const found = createFoundSecrets(call.secrets, call.principal);
  return { ...call, found, visible: createVisibleWorkflows(workflows, runs, call.principal, found) };
}

function createVisibleWorkflows(
  workflows: WorkflowFolder | null,
  runs: Pick<RunService, "fileOf" | "secretsOf">,
  principal: Principal,
  found: FoundSecrets,
): VisibleWorkflows {
  const isFree = !isNarrowed(principal);

  /** What the store does not have, a provider may have: it has no tags. */
  async function isSecretVisible(name: string): Promise<boolean> {
    try {
      await found.byName(name);
      return true;
    } catch (error) {
      if (!hasCode(error, "SECRET_NOT_FOUND")) throw error;
      return isVisible(principal, { name: parseSecretName(name), tags: [] });
    }
  }

  const seen = new Map<string, Promise<boolean>>();

  async function isKnownVisible(name: string): Promise<boolean> {
    const known = seen.get(name) ?? isSecretVisible(name);
    seen.set(name, known);
    return await known;
  }

  async function areVisible(names: readonly string[]): Promise<boolean> {
    return (await Promise.all(names.map(isKnownVisible))).every(Boolean);
  }

  async function has({ workflow }: ParsedWorkflow): Promise<boolean> {
    return isFree || (await areVisible(workflow.secrets));
  }

  async function get(id: string): Promise<ParsedWorkflow | null> {
    const workflow = workflows?.get(id) ?? null;
    return workflow !== null && (await has(workflow)) ? workflow : null;
  }

  const known = new Map<string, Promise<ParsedWorkflow | null>>();

  async function covers({ execution, workflow: id }: Pick<ServedRun, "execution" | "workflow">): Promise<boolean> {
    if (isFree) return true;
    const workflow = known.get(id) ?? get(id);
    known.set(id, workflow);
    if ((await workflow) === null || (await runs.fileOf(execution)) !== fileOfWorkflow(workflows, id)) return false;
    // The file may have changed since: its events and its provenance name the secrets that it had then.
    return await areVisible(await runs.secretsOf(execution));
  }

  return { get, has, covers };
}

/** The absolute path of a workflow of the folder; null where there is none. */
export function fileOfWorkflow(workflows: WorkflowFolder | null, id: string): string | null {
  const workflow = workflows?.get(id) ?? null;
  return workflow === null ? null : workflowFile(workflow);
}

/** A text may name any secret and any host: that is not for a token that may not see every secret. @throws AutokestraError `FORBIDDEN` */
export function checkText(principal: Principal): void {
  if (!principal.permissions.has("runs:text") || isNarrowed(principal))
    throw forbidden(
      "The token starts workflows of the server only: text needs runs:text, and a token that is not narrowed",
    );
}
