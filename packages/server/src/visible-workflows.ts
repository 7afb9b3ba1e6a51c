import type { ParsedWorkflow } from "@autokestra/engine";
import { workflowFile } from "@autokestra/engine/internal";
import type { ListedRun } from "@autokestra/runs";
import { isNarrowed, isVisible } from "@autokestra/secrets";
import { hasCode, parseSecretName } from "@autokestra/secrets-core";
import { type AccessControl, forbidden } from "./access-control.ts";
import type { ApiCall } from "./api-route.ts";
import { FoundSecrets } from "./found-secrets.ts";
import type { Principal } from "./principal.ts";
import type { ServedRuns } from "./run-service.ts";
import type { WorkflowChecks } from "./workflow-checks.ts";
import type { WorkflowFolder } from "./workflow-folder.ts";

/** What the routes of workflows and runs share. */
interface RunParts extends ServedRuns {
  readonly access: AccessControl;
  readonly checks: WorkflowChecks;
}

/** What the routes of workflows and runs work with. */
export interface RunCall extends ApiCall {
  readonly served: RunParts;
  readonly found: FoundSecrets;
  readonly visible: VisibleWorkflows;
}

export function toRunCall(served: RunParts, call: ApiCall): RunCall {
  const found = new FoundSecrets(call.secrets, call.principal);
  return { ...call, served, found, visible: new VisibleWorkflows(served, call.principal, found) };
}

/** The workflows that somebody may see: those all of whose secrets they may see; and their runs, which may have had others. */
class VisibleWorkflows {
  readonly #served: ServedRuns;
  readonly #principal: Principal;
  readonly #found: FoundSecrets;
  readonly #isFree: boolean;
  readonly #secrets = new Map<string, Promise<boolean>>();
  readonly #workflows = new Map<string, Promise<ParsedWorkflow | null>>();

  constructor(served: ServedRuns, principal: Principal, found: FoundSecrets) {
    this.#served = served;
    this.#principal = principal;
    this.#found = found;
    this.#isFree = !isNarrowed(principal);
  }

  async get(id: string): Promise<ParsedWorkflow | null> {
    const workflow = this.#served.workflows?.get(id) ?? null;
    return workflow !== null && (await this.has(workflow)) ? workflow : null;
  }

  async has({ workflow }: ParsedWorkflow): Promise<boolean> {
    return this.#isFree || (await this.#areVisible(workflow.secrets));
  }

  /** Whether a run may be seen. A narrowed token sees none that came as text, whatever id that has. */
  async covers({ execution, workflow: id }: Pick<ListedRun, "execution" | "workflow">): Promise<boolean> {
    if (this.#isFree) return true;
    const { runs, workflows, engine } = this.#served;
    const workflow = this.#workflows.get(id) ?? this.get(id);
    this.#workflows.set(id, workflow);
    if ((await workflow) === null || (await runs.fileOf(execution)) !== fileOfWorkflow(workflows, id)) return false;
    // The file may have changed since: its events and its provenance name the secrets that it had then.
    return await this.#areVisible(await engine.history.secrets(execution));
  }

  async #areVisible(names: readonly string[]): Promise<boolean> {
    return (await Promise.all(names.map(async (name) => await this.#isVisible(name)))).every(Boolean);
  }

  async #isVisible(name: string): Promise<boolean> {
    const known = this.#secrets.get(name) ?? this.#look(name);
    this.#secrets.set(name, known);
    return await known;
  }

  /** What the store does not have, a provider may have: it has no tags. */
  async #look(name: string): Promise<boolean> {
    try {
      await this.#found.byName(name);
      return true;
    } catch (error) {
      if (!hasCode(error, "SECRET_NOT_FOUND")) throw error;
      return isVisible(this.#principal, { name: parseSecretName(name), tags: [] });
    }
  }
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
