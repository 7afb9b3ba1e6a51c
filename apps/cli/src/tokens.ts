import { openSecretsManager, openTokens, type Tokens } from "@autokestra/secrets";
import type { CommandContext } from "./command.ts";

/** Opens the tokens of the store while `use` runs. */
export async function withTokens<T>(
  { place, terminal }: CommandContext,
  use: (tokens: Tokens) => Promise<T>,
): Promise<T> {
  const onNotice = (text: string) => terminal.note(`note: ${text}`);
  const manager = await openSecretsManager({ ...place, onNotice });
  try {
    const tokens = await openTokens(manager);
    try {
      return await use(tokens);
    } finally {
      tokens.close();
    }
  } finally {
    await manager.secrets.close();
  }
}
