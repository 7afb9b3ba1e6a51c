import { createMasterKeyProvider } from "@autokestra/secrets";

/** Takes the master key out of the environment, so that nothing that a command loads or starts can read it there. */
export function takeKey(): void {
  createMasterKeyProvider();
}
