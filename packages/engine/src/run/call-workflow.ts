import { type Action, defineAction, definePlugin, type Plugin, z } from "@autokestra/plugin-sdk";
import { TimeLimit } from "./cancellation.ts";
import { readValues, secretInputValues } from "./inputs.ts";
import type { FlowEnd, FlowParts } from "./run-context.ts";
import { narrowScope } from "./secret-rules.ts";
import type { TaskSources } from "./task-executor.ts";
import { EngineFailure } from "./task-failure.ts";

/** The input of `core/workflow.call`. */
interface CallInput {
  readonly file: string;
  readonly inputs: Readonly<Record<string, unknown>>;
}

const input: z.ZodType<CallInput> = z.strictObject({
  file: z.string().min(1),
  inputs: z.record(z.string(), z.unknown()).default({}),
});

const call: Action<CallInput, never> = defineAction({
  description: "Runs another workflow file. Its outputs are the output of the task.",
  input,
  run() {
    throw new TypeError("The engine runs this action itself");
  },
});

/** What a workflow can call without any plugin: other workflows. */
export const workflowPlugin: Plugin = definePlugin({ name: "core/workflow", actions: { call } });

/** @param open creates the flow of a called workflow; a parameter, because that flow can call others */
export function createWorkflowCaller(
  { context, calls, level, scope, secondsLeft }: FlowParts,
  open: (parts: FlowParts) => { run(): Promise<FlowEnd> },
): TaskSources["callWorkflow"] {
  return async ({ task, name }, given, signal) => {
    const called = calls.get(task.id);
    if (called === undefined) throw new TypeError("The workflow was not prepared");
    const { parsed } = called;
    const { secrets, timeoutSeconds } = parsed.workflow;
    const inputs = readValues(parsed.workflow, input.parse(given).inputs);
    context.masks.add(secretInputValues(parsed.workflow, inputs));
    const limit = new TimeLimit(timeoutSeconds, "The called workflow");
    const flow = open({
      context,
      parsed,
      calls: called.calls,
      level: level + 1,
      prefix: `${name}/`,
      inputs,
      scope: narrowScope(narrowScope(scope, task.secrets), secrets),
      signal: AbortSignal.any([signal, limit.signal]),
      secondsLeft: () => Math.min(secondsLeft(), limit.secondsLeft()),
    });
    try {
      const { status, failedTask, error, code, outputs } = await flow.run();
      if (status === "success") return outputs ?? {};
      if (status === "cancelled") throw new EngineFailure("TIMED_OUT", "the called workflow ran out of time", true);
      const where = failedTask === null ? "" : `task '${failedTask}' of the called workflow failed: `;
      throw new EngineFailure(code ?? "TASK_FAILED", `${where}${error}`, true);
    } finally {
      limit.end();
    }
  };
}
