import type { SecretMetadata, SecretType } from "@autokestra/secrets-core";
import { type CommandContext, withSecrets } from "../command-context.ts";
import { toJson } from "../secret-json.ts";

export interface ListOptions {
  readonly type?: SecretType;
  readonly tag?: readonly string[];
}

const HEADER = ["NAME", "TYPE", "VERSION", "UPDATED", "EXPIRES", "TAGS", "DESCRIPTION"];

/** Lists metadata: a table for people, tab-separated for pipes, or JSON. */
export async function listSecrets(context: CommandContext, { type, tag }: ListOptions): Promise<void> {
  const { terminal } = context;
  const secrets = await withSecrets(context, false, async (store) => await store.list({ type, tags: tag }));
  if (terminal.json) return terminal.write(`${JSON.stringify(secrets.map(toJson))}\n`);
  if (secrets.length === 0) return terminal.note("No secrets found");
  const rows = secrets.map(toRow);
  if (terminal.outputIsTty) return terminal.write(`${await drawTable(rows)}\n`);
  terminal.write(rows.map((row) => `${row.join("\t")}\n`).join(""));
}

function toRow({ name, type, version, updatedAt, expiresAt, tags, description }: SecretMetadata): string[] {
  return [name, type, String(version), updatedAt, expiresAt ?? "", tags.join(","), description ?? ""];
}

async function drawTable(rows: readonly string[][]): Promise<string> {
  const { default: Table } = await import("cli-table3");
  const none = {
    top: "",
    "top-mid": "",
    "top-left": "",
    "top-right": "",
    bottom: "",
    "bottom-mid": "",
    "bottom-left": "",
  };
  const noRules = {
    ...none,
    "bottom-right": "",
    left: "",
    "left-mid": "",
    mid: "",
    "mid-mid": "",
    right: "",
    "right-mid": "",
  };
  const table = new Table({
    head: HEADER,
    chars: { ...noRules, middle: "  " },
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
  table.push(...rows.map((row) => [...row]));
  return table.toString();
}
