import {
  type OpenedTokens,
  openSecretsManager,
  openTokens,
  type SecretsManager,
  type SecretsOptions,
  type Tokens,
} from "@autokestra/secrets";
import { recordOperation } from "@autokestra/secrets/internal";
import type { CommandContext } from "./command.ts";
import { noticesTo } from "./output/terminal.ts";

/** Opens the tokens of the store, and the store, while `use` runs. */
export async function withTokens<T>(
  { place, terminal }: CommandContext,
  use: (tokens: OpenedTokens, manager: SecretsManager) => Promise<T>,
  options: Pick<SecretsOptions, "audit"> = {},
): Promise<T> {
  const manager = await openSecretsManager({ ...place, ...options, onNotice: noticesTo(terminal) });
  try {
    const tokens = await openTokens(manager);
    try {
      return await use(tokens, manager);
    } finally {
      tokens.close();
    }
  } finally {
    await manager.secrets.close();
  }
}

/** The same for a change, which is recorded if the audit log is on. */
export async function changeTokens<T>(
  context: CommandContext,
  action: "tokens.create" | "tokens.revoke",
  change: (tokens: Tokens) => Promise<T>,
): Promise<T> {
  return await recordOperation(context.place, action, async () => await withTokens(context, change));
}
