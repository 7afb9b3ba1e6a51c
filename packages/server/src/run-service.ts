import type { Engine, ParsedWorkflow, WebhookAnswer, WebhookRequest } from "@autokestra/engine";
import { workflowFile } from "@autokestra/engine/internal";
import type { ClaimedRequest, ListedRun } from "@autokestra/runs";
import type { AuditOutcome } from "@autokestra/secrets";
import { recordWork } from "@autokestra/secrets/internal";
import { prepareJob, type StartedBy } from "./run-job.ts";
import { Schedule } from "./schedule.ts";
import { TakenRuns, type TakenRunsOptions } from "./taken-runs.ts";
import { messageOf } from "./unstarted-runs.ts";
import { notSigned, webhookInputs } from "./webhook.ts";
import type { WorkflowFolder } from "./workflow-folder.ts";

export interface RunServiceOptions extends TakenRunsOptions {
  readonly engine: TakenRunsOptions["engine"] & Pick<Engine, "verifyWebhook" | "audit">;
}

/** What a client starts. */
export interface StartRequest extends StartedBy {
  readonly workflow: ParsedWorkflow;
  /** The texts of inputs, by name. */
  readonly inputs: Readonly<Record<string, string>>;
  /** A second request with the same key gets the run of the first one. Default: every request gets its own. */
  readonly key?: string | undefined;
  /** Whether another request with the key is refused. Default: false, it counts as the same one of this workflow. */
  readonly isKeyOfRequest?: boolean | undefined;
}

/** A run that is to go on, or to run again. */
export interface EarlierRun extends Pick<ListedRun, "execution" | "workflow"> {
  /** As of `fileOf`. */
  readonly file: string | null;
}

/** What a server with runs has. */
export interface ServedRuns {
  readonly engine: Pick<Engine, "check" | "checkText" | "history" | "queued">;
  readonly runs: RunService;
  /** The workflows that can be started by their ids. Null for none. */
  readonly workflows: WorkflowFolder | null;
}

/** How often to look for runs of servers that are lost. */
const RECOVER_MS = 10_000;

/** Creates what starts runs. Close it before the engine. */
export function createRunService(options: RunServiceOptions): RunService {
  return new RunService(options);
}

/** Starts runs, by clients, webhooks and schedules, and ends them. */
export class RunService {
  readonly #engine: RunServiceOptions["engine"];
  readonly #onNotice: RunServiceOptions["onNotice"];
  readonly #taken: TakenRuns;
  readonly #schedule: Schedule;
  readonly #closing = new AbortController();
  #workflows: WorkflowFolder | null = null;
  #recovering: NodeJS.Timeout | undefined;

  constructor(options: RunServiceOptions) {
    this.#engine = options.engine;
    this.#onNotice = options.onNotice;
    this.#taken = new TakenRuns(options);
    this.#schedule = new Schedule({
      claims: options.engine.history.claims,
      isRunning: async (workflow) => await this.#isRunning(workflow),
      start: (workflow, time) => void this.#startAt(workflow, time),
      onFailure: (id, error) => this.#onNotice(`workflow '${id}' was not started: ${messageOf(error)}`),
    });
  }

  /** Aborted when the server shuts down: nobody should wait for what is to come. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /**
   * @throws AutokestraError `WORKFLOW_DISABLED`, `INPUT_INVALID`, `QUEUE_FULL`, `RUN_LEFT_OUT`, `SHUTTING_DOWN`,
   * `IDEMPOTENCY_KEY_REUSED`
   */
  async start(given: StartRequest): Promise<{ readonly id: string }> {
    const { workflow, inputs, key, isKeyOfRequest = false, actor, requestId } = given;
    const run = { id: crypto.randomUUID(), workflow: workflow.workflow.id, file: workflowFile(workflow) };
    const text = run.file === null ? workflow.source : null;
    const work = { kind: "start", text, inputs, actor, requestId } as const;
    // A text may have the id of a workflow that more people see.
    const scope = [text === null ? "file" : "text", run.workflow] as const;
    const workflowKey = key === undefined ? null : JSON.stringify([...scope, key]);
    const request = key !== undefined && isKeyOfRequest ? claimedRequest(key, [...scope, text], inputs) : undefined;
    return { id: await this.#taken.take({ run, work, input: { workflow, inputs } }, workflowKey, request) };
  }

  /** @throws AutokestraError as `start`, and `UNAUTHORIZED` where the request is not signed as it must be */
  async receive(workflow: ParsedWorkflow, request: WebhookRequest, by: StartedBy): Promise<{ readonly id: string }> {
    const answer = await this.#verify(workflow, request);
    if (answer.result !== "accepted") throw notSigned(answer.result);
    const inputs = webhookInputs(request);
    const key = answer.id === null ? undefined : `webhook ${answer.id}`;
    return await this.start({ workflow, inputs, key, ...by });
  }

  /**
   * Goes on with a run that was lost, has failed or was cancelled.
   *
   * @throws AutokestraError as `start`, and `RUN_ACTIVE`, `RUN_NOT_RESUMABLE`
   */
  async resume({ execution: id, workflow, file }: EarlierRun, by: StartedBy): Promise<void> {
    const job = await prepareJob(this.#engine, { id, workflow, file }, { kind: "resume", ...by });
    await this.#taken.take(job, null);
  }

  /**
   * Runs the workflow of a run again, as a new one.
   *
   * @param from the first task to run. Default: all run
   * @throws AutokestraError as `start`, and `RUN_NOT_RESUMABLE`, `TASK_NOT_FOUND`
   */
  async rerun(
    { execution, workflow, file }: EarlierRun,
    from: string | undefined,
    by: StartedBy,
  ): Promise<{ readonly id: string }> {
    const again = { id: crypto.randomUUID(), workflow, file };
    const job = await prepareJob(this.#engine, again, { kind: "rerun", of: execution, from, ...by });
    return { id: await this.#taken.take(job, null) };
  }

  /** The run, if it waits or goes on here. It is `queued` until its first event is recorded. */
  active(id: string): ListedRun | null {
    return this.#taken.active(id)?.run ?? null;
  }

  /** The absolute path of the workflow of a run; null for one that came as text, and for one that is not known. */
  async fileOf(id: string): Promise<string | null> {
    const known = this.#taken.active(id) ?? (await this.#engine.queued.find(id));
    return known === null ? await this.#engine.history.file(id) : known.file;
  }

  /** Takes over, now and every few seconds, what other servers have taken and not begun before they were lost. */
  async recover(): Promise<void> {
    this.#recovering ??= setInterval(() => void this.recover(), RECOVER_MS).unref();
    try {
      await this.#taken.recover();
    } catch (error) {
      this.#onNotice(`waiting runs were not taken over: ${messageOf(error)}`);
    }
  }

  /**
   * Cancels a run that waits or goes on, here or in another process.
   *
   * @param find finds it for whoever cancels it, or throws
   * @throws AutokestraError `RUN_ENDED`, `AUDIT_UNAVAILABLE`
   */
  async cancel(id: string, by: StartedBy, find: () => Promise<ListedRun>): Promise<ListedRun> {
    const tell = async (outcome: AuditOutcome) =>
      await this.#engine.audit?.record({ ...by, action: "run.cancel", outcome, execution: id });
    return await recordWork(tell, async () => {
      const run = await find();
      if (!this.#taken.queue.cancel(id)) await this.#engine.history.ledger.cancel(id, "user");
      return run;
    });
  }

  /** How many runs go on at once from now on. Default: 10. */
  limit(maxRuns: number | undefined): void {
    this.#taken.queue.limit(maxRuns);
  }

  counts(): { readonly running: number; readonly waiting: number } {
    const { queue } = this.#taken;
    return { running: queue.running().length, waiting: queue.waiting().length };
  }

  /** @throws AutokestraError `QUEUE_FULL`, `SHUTTING_DOWN` where no run would be taken */
  check(): void {
    this.#taken.queue.check(0);
  }

  /** The workflows of the folder have changed: their times count from now on. */
  async schedule(folder: WorkflowFolder): Promise<void> {
    this.#workflows = folder;
    await this.#schedule.set(
      folder.files().flatMap(({ parsed }) => {
        const { id, enabled, trigger } = parsed?.workflow ?? {};
        return id !== undefined && enabled === true && trigger?.type === "cron" ? [{ ...trigger, id }] : [];
      }),
    );
  }

  nextTime(workflow: string): Date | null {
    return this.#schedule.next(workflow);
  }

  async close(drainMs: number): Promise<void> {
    this.#schedule.stop();
    clearInterval(this.#recovering);
    this.#closing.abort();
    await this.#taken.close(drainMs);
  }

  /** An answer without a valid signature must not tell that there is a workflow whose secret is missing or cannot be reached. */
  async #verify(workflow: ParsedWorkflow, request: WebhookRequest): Promise<WebhookAnswer> {
    try {
      return await this.#engine.verifyWebhook(workflow, request);
    } catch (error) {
      this.#onNotice(`a webhook for '${workflow.workflow.id}' cannot be verified: ${messageOf(error)}`);
      return { result: "refused" };
    }
  }

  async #isRunning(workflow: string): Promise<boolean> {
    const { queued, history } = this.#engine;
    return (
      this.#taken.queue.isBusyWith(workflow) ||
      (await queued.list(workflow)).length > 0 ||
      (await history.list({ workflow, status: "running", limit: 1 })).length > 0
    );
  }

  /** A workflow whose time has come. */
  async #startAt(id: string, time: Date): Promise<void> {
    const workflow = this.#workflows?.get(id) ?? null;
    if (workflow === null) return;
    try {
      await this.start({ workflow, inputs: {}, actor: { kind: "trigger", id, address: null } });
    } catch (error) {
      this.#onNotice(`workflow '${id}' was not started at ${time.toISOString()}: ${messageOf(error)}`);
    }
  }
}

/** What a client has asked for, whatever the order of its inputs. */
function claimedRequest(
  key: string,
  scope: readonly (string | null)[],
  inputs: Readonly<Record<string, string>>,
): ClaimedRequest {
  const byName = Object.keys(inputs)
    .toSorted()
    .map((name) => [name, inputs[name]]);
  return { key: JSON.stringify([key]), content: JSON.stringify([...scope, byName]) };
}
