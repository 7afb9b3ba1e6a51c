import { resolve } from "node:path";
import type { SecretsManager } from "@autokestra/secrets";
import { AutokestraError } from "@autokestra/secrets-core";
import type { ProviderCall, ServedRuns } from "@autokestra/server";
import type { CommandContext } from "./command.ts";
import type { ServeOptions } from "./server-settings.ts";

/** Opens what a server with runs needs. Null where it serves secrets only. */
export async function openServedRuns(
  { place, terminal }: CommandContext,
  options: ServeOptions,
  manager: SecretsManager,
  onCall: (call: ProviderCall) => void,
): Promise<{ readonly runs: ServedRuns; close(): Promise<void> } | null> {
  const config = place.defaults;
  const folder = options.workflows === undefined ? config?.server?.workflows : resolve(options.workflows);
  if (folder === undefined) return null;
  const { createRunService, openWorkflowFolder } = await import("./server.ts");
  const { openEngine } = await import("./workflows.ts");
  const warn = (text: string): void => terminal.warn(`warning: ${text}`);
  // In a server, variables are those of its service: what they hold is not meant for every workflow.
  const environment = config?.environment ?? false;
  const engine = await openEngine({ ...place, manager, config, environment, audit: true, onCall });
  try {
    const runs = createRunService({ engine, maxRuns: config?.server?.maxRuns, onNotice: warn });
    const workflows = await openWorkflowFolder({
      folder,
      onProblem: (file, problem) => warn(`workflow file ${file} cannot be used: ${problem}`),
      onChange: () => void runs.schedule(workflows),
    }).catch((error: unknown) => {
      throw cannotRead(folder, error);
    });
    await runs.schedule(workflows);
    return {
      runs: { engine, runs, workflows },
      async close() {
        workflows.close();
        await engine.close();
      },
    };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

function cannotRead(folder: string, error: unknown): AutokestraError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
  return new AutokestraError("OPTION_INVALID", `The folder of the workflows cannot be read: ${folder} (${code})`);
}
