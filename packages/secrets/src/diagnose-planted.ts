import { join } from "node:path";
import { plural, quotePath, quoteText } from "@autokestra/secrets-core/internal";
import type { Planted } from "@autokestra/sqlite";
import { ACCESS_FILE } from "./access/access-schema.ts";
import type { Finding } from "./doctor.ts";
import { parseDriver } from "./drivers.ts";
import type { SecretsManager } from "./manager.ts";

const HINT =
  "Whoever put it there can write to this folder, and can have changed what was written meanwhile. Keep a copy of the file, " +
  "find out who it was, then remove it with SQLite (`DROP TRIGGER` or `DROP VIEW`), or go back to a backup.";

/**
 * Looks for triggers and views in the databases of a folder. None is ours, and nothing is written beside one: it could
 * remove an audit record, or a secret that was just stored.
 *
 * @param runs the path of the run history
 * @returns a failure for each database that has one; for one that cannot be read nothing, which is a finding of others
 */
export async function diagnosePlanted(
  { location }: Pick<SecretsManager, "location">,
  runs: string,
): Promise<readonly Finding[]> {
  const { findPlanted, loadSqlite } = await import("@autokestra/sqlite");
  // Without SQLite, nobody writes to a database.
  const library = await loadSqlite().catch(() => null);
  if (library === null) return [];
  const places: [subject: Finding["subject"], path: string][] = [["runs", runs]];
  if (location.kind === "folder") {
    const store = join(location.path, parseDriver("sqlite").file);
    places.unshift(["store", store], ["audit", join(location.path, ACCESS_FILE)]);
  }
  return places.flatMap(([subject, path]) => {
    try {
      const found = findPlanted(library, path);
      return found.length === 0 ? [] : [failureOf(subject, path, found)];
    } catch {
      return [];
    }
  });
}

function failureOf(subject: Finding["subject"], path: string, found: readonly Planted[]): Finding {
  const names = found.slice(0, 3).map(({ type, name }) => `${type} '${quoteText(name)}'`);
  const more = found.length > 3 ? ` and ${plural(found.length - 3, "other")}` : "";
  const message = `${quotePath(path)} has ${names.join(", ")}${more}, which others have put there: nothing is written to it`;
  return { status: "failure", subject, code: "INTEGRITY_FAILED", message, hint: HINT };
}
