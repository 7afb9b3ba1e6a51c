import { isDeepStrictEqual } from "node:util";
import type { SecretService } from "@autokestra/secrets-core";
import type { ImportEntry } from "./import-entry.ts";
import { type ImportReport, reportImport } from "./import-report.ts";
import { type ImportOptions, planImport } from "./plan-import.ts";

export interface ImportSecretsOptions extends Pick<ImportOptions, "onConflict" | "rename"> {
  /** Leave out what has an empty value, with a warning. Default: it fails. */
  readonly skipEmpty?: boolean | undefined;
  /** Only say what would be done. */
  readonly dryRun: boolean;
}

/** What an import did, or would do. */
export interface ImportOutcome extends ImportReport {
  /** Names that our rules refuse, and what they became. */
  readonly renamed: readonly { readonly from: string; readonly to: string }[];
}

/**
 * Writes what a source has: all of it in one step, or nothing where anything failed. Importing twice changes nothing.
 *
 * @throws AutokestraError `VERSION_CONFLICT` where somebody else writes one of the names at the same time, or an error of the
 * store or the key; what is wrong with an entry is in the outcome
 */
export async function importSecrets(
  secrets: SecretService,
  entries: readonly ImportEntry[],
  { onConflict, rename, skipEmpty = false, dryRun }: ImportSecretsOptions,
): Promise<ImportOutcome> {
  const stored = new Map((await secrets.list()).map((metadata) => [String(metadata.name), metadata]));
  const plan = await planImport(entries, stored, {
    onConflict,
    rename,
    skipEmpty,
    isStored: async ({ name, fields }) => isDeepStrictEqual((await secrets.get(name)).fields, fields),
  });
  if (!dryRun && plan.writes.length > 0) {
    // The plan holds as long as nobody else writes: each name must have the version that it had then, or none.
    await secrets.setAll(
      plan.writes.map((secret) => ({
        ...secret,
        keepsFieldNames: true,
        ifVersion: stored.get(secret.name)?.version ?? 0,
      })),
    );
  }
  return { ...reportImport(plan), renamed: plan.renamed };
}
