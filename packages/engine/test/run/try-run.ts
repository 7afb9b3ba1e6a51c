import { definePlugin, type Plugin } from "@autokestra/plugin-sdk";
import { corePlugins } from "@autokestra/plugins-core";
import type { RunEvent, RunFinished } from "@autokestra/runs";
import type { FoundSecret, SecretSource } from "@autokestra/secrets-core";
import { parseWorkflow, type RunOptions, runWorkflow } from "../../src/index.ts";

type Actions = Parameters<typeof definePlugin>[0]["actions"];

export interface TryOptions extends Partial<RunOptions> {
  /** Keys of the workflow above its tasks. */
  readonly head?: string;
  readonly secrets?: Readonly<Record<string, Omit<FoundSecret, "expiresAt">>>;
  /** Of the plugin `test/do`. */
  readonly actions?: Actions;
}

export interface Outcome {
  readonly finished: RunFinished;
  readonly events: readonly RunEvent[];
  /** Everything that got out, as text. */
  readonly out: string;
}

function sourceOf(secrets: Readonly<Record<string, Omit<FoundSecret, "expiresAt">>>): SecretSource {
  return {
    id: "test",
    async lookup(name) {
      const secret = secrets[name];
      return secret === undefined
        ? { status: "notFound" }
        : { status: "found", secret: { ...secret, expiresAt: null } };
    },
  };
}

/** Runs tasks, a list in YAML, in a workflow of their own. It declares all secrets that are given. */
export async function tryRun(tasks: string, options: TryOptions = {}): Promise<Outcome> {
  const { head = "", secrets = {}, actions, ...more } = options;
  const events: RunEvent[] = [];
  const declared = `secrets: [${Object.keys(secrets).join(", ")}]`;
  const parsed = parseWorkflow(`apiVersion: v1\nid: w\n${declared}\n${head}\ntasks:\n${tasks}`, "w.yaml");
  const own: Plugin[] = actions === undefined ? [] : [definePlugin({ name: "test/do", actions })];
  const finished = await runWorkflow(parsed, {
    sources: [sourceOf(secrets)],
    plugins: [...corePlugins, ...own],
    sink: (event) => void events.push(event),
    // The values of all runs of the last minute would be looked for in the output of each.
    maskProcessOutput: { keepSeconds: 0 },
    ...more,
  });
  return { finished, events, out: events.map((event) => JSON.stringify(event)).join("\n") };
}

/** The messages of log lines. */
export function logged({ events }: Outcome): string[] {
  return events.flatMap((event) => (event.event === "task.log" ? [event.message] : []));
}

/** The messages of warnings. */
export function warned({ events }: Outcome): string[] {
  return events.flatMap((event) => (event.event === "run.warning" ? [event.message] : []));
}
