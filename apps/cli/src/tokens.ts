import { createTokens, openSecretsManager, type Tokens } from "@autokestra/secrets";
import { openAccessDatabase, storeFolder } from "@autokestra/secrets/internal";
import type { CommandContext } from "./command.ts";

/** Opens the tokens of the store while `use` runs. */
export async function withTokens<T>(
  { place, terminal }: CommandContext,
  use: (tokens: Tokens) => Promise<T>,
): Promise<T> {
  const folder = storeFolder(place);
  const onNotice = (text: string) => terminal.note(`note: ${text}`);
  const manager = await openSecretsManager({ ...place, onNotice });
  try {
    const access = await openAccessDatabase(folder);
    try {
      return await use(createTokens({ ...manager, access }));
    } finally {
      access.close();
    }
  } finally {
    await manager.secrets.close();
  }
}
