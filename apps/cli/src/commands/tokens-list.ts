import type { ListedToken } from "@autokestra/secrets";
import { quoteText } from "@autokestra/secrets-core/internal";
import { type CommandContext, type CommandDefinition, defineCommand } from "../command.ts";
import { printTable } from "../output/table.ts";
import { withTokens } from "../tokens.ts";

const HEADER = ["NAME", "ROLE", "PREFIXES", "TAGS", "CREATED", "EXPIRES", "USED", "STATE", "ID"];

export const command: CommandDefinition = defineCommand({
  declare: (parser) => parser,
  examples: ["autokestra tokens list", "autokestra tokens list --json"],
  prints: true,
  run: listTokens,
});

/** Lists tokens: a table for people, tab-separated for pipes, or JSON. Never a token. */
async function listTokens(context: CommandContext): Promise<void> {
  const { terminal } = context;
  const tokens = await withTokens(context, async (all) => await all.list());
  if (terminal.json) return terminal.write(`${JSON.stringify(tokens)}\n`);
  if (tokens.length === 0) return terminal.note("No tokens found");
  const now = new Date().toISOString();
  await printTable(
    terminal,
    HEADER,
    tokens.map((token) => toRow(token, now)),
  );
}

function toRow(token: ListedToken, now: string): string[] {
  const { id, name, role, prefixes, tags, createdAt, expiresAt, lastUsedOn, isAuthentic } = token;
  const state = isAuthentic ? (expiresAt !== null && expiresAt <= now ? "expired" : "valid") : "not authentic";
  const lists = [prefixes, tags].map((texts) => texts?.map(quoteText).join(",") ?? "");
  return [quoteText(name), quoteText(role), ...lists, createdAt, expiresAt ?? "", lastUsedOn ?? "", state, id];
}
