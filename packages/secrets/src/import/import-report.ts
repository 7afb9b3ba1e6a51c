import type { ImportFailure, ImportWarning } from "./import-entry.ts";
import type { ImportPlan } from "./plan-import.ts";

/** What an import has done, in figures; never a value. Where anything failed, nothing was imported. */
export interface ImportReport {
  readonly total: number;
  readonly imported: number;
  readonly skipped: number;
  readonly failed: readonly ImportFailure[];
  readonly warnings: readonly ImportWarning[];
}

/** The report of a plan that was carried out, or would be. */
export function reportImport({ total, writes, skipped, failed, warnings }: ImportPlan): ImportReport {
  return { total, imported: writes.length, skipped: skipped.length, failed, warnings };
}
