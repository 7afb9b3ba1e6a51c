import type { RunningServer } from "@autokestra/server";
import type { CommandContext } from "./command.ts";
import { printError } from "./errors.ts";
import type { OpenedRuns, PreparedRuns } from "./served-runs.ts";
import type { ServerSettings } from "./server-settings.ts";

/** Reads the configuration again. If it cannot be used, says so and keeps the previous one. */
export async function reload(
  server: RunningServer,
  settings: ServerSettings,
  runs: Pick<OpenedRuns, "prepare"> | null,
  { place, terminal, readConfig }: CommandContext,
): Promise<void> {
  let prepared: PreparedRuns | undefined;
  try {
    const config = await readConfig(place.defaults?.path);
    const changes = await settings.read(config);
    prepared = await runs?.prepare(config);
    await server.reload({ ...changes, ...(prepared && { runs: prepared.routes }) });
    const accepted = prepared?.accept();
    prepared = undefined;
    await accepted;
    await settings.accept();
    const keys = settings.restartKeys(config);
    if (keys.length > 0) terminal.warn(`warning: restart the server to apply the changes in ${keys.join(", ")}`);
    terminal.warn("autokestra has reloaded its configuration");
  } catch (error) {
    await prepared?.discard();
    printError(error, terminal, { command: "serve", args: [] });
    terminal.warn("warning: the configuration was not reloaded: the previous one stays in use");
  }
}
