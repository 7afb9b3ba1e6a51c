import { type CommandContext, type CommandDefinition, defineCommand } from "../command.ts";
import { changeTokens } from "../tokens.ts";

export const command: CommandDefinition = defineCommand({
  declare: (parser) => parser.argument("<name-or-id>", "name or id of the token"),
  examples: ["autokestra tokens revoke ci", "autokestra tokens revoke 1b671a64-40d5-491e-99b0-da01ff1f3341 --json"],
  run: revokeToken,
});

/** Revokes a token: from now on it opens nothing, even if its row is put back. */
async function revokeToken(context: CommandContext, nameOrId: string): Promise<void> {
  const { terminal } = context;
  const token = await changeTokens(context, "tokens.revoke", async (tokens) => await tokens.revoke(nameOrId));
  if (terminal.json) terminal.write(`${JSON.stringify(token)}\n`);
  else terminal.note(`Token '${token.name}' is revoked`);
}
