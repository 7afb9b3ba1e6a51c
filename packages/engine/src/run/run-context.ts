import type { Action } from "@autokestra/plugin-sdk";
import type { SecretScope } from "@autokestra/secrets-core";
import type { ParsedWorkflow } from "../workflow/parse-workflow.ts";
import type { CallLimit } from "./call-limit.ts";
import type { CalledWorkflows } from "./called-workflows.ts";
import type { RunMasks } from "./masks.ts";
import type { RunOutput } from "./process-output.ts";
import type { RedactingSink } from "./redacting-sink.ts";
import type { RunKeeper } from "./run-keeper.ts";
import type { RunLog } from "./run-log.ts";
import type { SecretRules } from "./secret-rules.ts";
import type { TaskAttempt } from "./task-attempt.ts";
import type { TaskDisclosure } from "./task-disclosure.ts";
import type { RunState } from "./values.ts";

/** What all tasks of a run share, also those of called workflows. */
export interface RunContext {
  /** The id of the run. */
  readonly id: string;
  /** The actions, by type. */
  readonly actions: ReadonlyMap<string, Action>;
  /** What the secrets say about who may use them. */
  readonly rules: SecretRules;
  readonly masks: RunMasks;
  readonly sink: RedactingSink;
  readonly log: RunLog;
  readonly keeper: RunKeeper;
  /** Null if printed output is not masked. */
  readonly output: RunOutput | null;
  /** Whether output that a task prints becomes log lines. */
  readonly logsPrints: boolean;
  /** The maximum number of tasks of one workflow that run at the same time. */
  readonly concurrency: number;
  /** Whether something other than the tasks can end the run. */
  readonly isCancellable: boolean;
  /** The running attempts, by the name of the task. */
  readonly running: Map<string, TaskAttempt>;
  /** How many called workflows go on at the same time. */
  readonly callLimit: CallLimit;
  /** Those with a printed line that is not complete yet; ended with the run. */
  readonly disclosures: Set<TaskDisclosure>;
}

/** What a flow is made of. */
export interface FlowParts {
  readonly context: RunContext;
  readonly parsed: ParsedWorkflow;
  /** The workflows that it calls, by the id of the task. */
  readonly calls: CalledWorkflows;
  /** How many callers it has. */
  readonly level: number;
  /** The beginning of the names of its tasks: `child/` in a called workflow, otherwise empty. */
  readonly prefix: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly scope: Pick<SecretScope, "lookup">;
  /** Cancels it: what runs gets the signal, and then only `finally` runs. */
  readonly signal: AbortSignal;
  /** The time left for it; Infinity without a limit. */
  readonly secondsLeft: () => number;
}

/** How a flow ended. Errors are masked, outputs are not. */
export interface FlowEnd extends RunState {
  readonly error: string | null;
  /** The code of the error; null without one. */
  readonly code: string | null;
  /** Undefined for a workflow that declares none, and unless the flow has succeeded. */
  readonly outputs: Readonly<Record<string, unknown>> | undefined;
}
