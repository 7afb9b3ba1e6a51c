import { type SecretProvenance, secretsOfRun } from "@autokestra/runs";
import type { MaskCount } from "@autokestra/secrets-core";
import { quoteText } from "@autokestra/secrets-core/internal";
import { type CommandContext, type CommandDefinition, defineCommand } from "../command.ts";
import { printTable } from "../output/table.ts";
import { createRunPrinter, RUN_ARGUMENT, withRunHistory } from "../runs.ts";

interface RunsShowOptions {
  readonly secrets?: boolean;
}

const HEADER = ["NAME", "SOURCE", "VERSION", "USED IN", "MASKED", "LEASES"];

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    parser
      .argument("<execution>", RUN_ARGUMENT)
      .option("--secrets", "sources, uses and masked counts of its secrets, instead of its events"),
  examples: [
    "autokestra runs show 0b9c2f3e-8a41-4a53-9c56-2f9a0c1d7e88",
    "autokestra runs show 0b9c2f3e-8a41-4a53-9c56-2f9a0c1d7e88 --secrets --json",
  ],
  prints: true,
  run: showRun,
});

/** Prints the events of a run as `run` prints them, or its secrets. */
async function showRun(context: CommandContext, runId: string, { secrets = false }: RunsShowOptions): Promise<void> {
  const { terminal } = context;
  const events = await withRunHistory(context, async (history) => await history.events(await history.find(runId)));
  if (!secrets) return events.forEach(createRunPrinter(terminal));
  const found = secretsOfRun(events);
  if (terminal.json) return terminal.write(`${JSON.stringify(found)}\n`);
  if (found.length === 0) return terminal.note("No secrets found");
  const toCell = (lines: readonly string[]) => lines.map(quoteText).join(terminal.outputIsTty ? "\n" : ", ");
  await printTable(
    terminal,
    HEADER,
    found.map((secret) => toRow(secret).map(toCell)),
  );
}

/** The lines of each cell. */
function toRow({ name, source, version, binding, staleSeconds, uses, ...secret }: SecretProvenance): string[][] {
  const { path, field, lease } = binding ?? {};
  const place = lease ?? path;
  return [
    [name],
    [
      place === undefined ? source : `${source}: ${place}${field === undefined ? "" : `#${field}`}`,
      ...(staleSeconds === null ? [] : [`${staleSeconds} s old`]),
    ],
    version === null ? [] : [version],
    uses.map((use) => (use.task === null ? use.path : `${use.task}: ${use.path}`)),
    describeMasked(secret),
    secret.leases.map(({ type, time }) => `${type} ${time}`),
  ];
}

/** `3x (value, base64)`, and how often in which task; items are counted with their task. */
function describeMasked({ masked, maskedIn }: Pick<SecretProvenance, "masked" | "maskedIn">): string[] {
  const tasks = new Map<string, number>();
  for (const [id, { count }] of Object.entries(maskedIn)) {
    const task = id.replaceAll(/\[\d+\]/g, "");
    tasks.set(task, (tasks.get(task) ?? 0) + count);
  }
  return [describeCount(masked), ...[...tasks].map(([task, count]) => `${task} ${count}x`)];
}

function describeCount({ count, variants }: MaskCount): string {
  return count === 0 ? "0x" : `${count}x (${variants.join(", ")})`;
}
