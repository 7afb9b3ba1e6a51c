import { listKeys } from "@autokestra/secrets";
import { quotePath } from "@autokestra/secrets-core/internal";
import { type CommandContext, type CommandDefinition, defineCommand } from "../command.ts";
import { printTable } from "../output/table.ts";
import { noticesTo } from "../output/terminal.ts";

const HEADER = ["FINGERPRINT", "KIND", "STATE", "PATHS", "STORES", "BACKUPS"];

/** A key as `--json` prints it. `kind` is null for a key that known stores or backups need and that was not found. */
interface ShownKey {
  readonly fingerprint: string | null;
  readonly kind: "bytes" | "passphrase" | null;
  readonly paths: readonly string[];
  readonly isDefault: boolean;
  readonly isPending: boolean;
  readonly stores: readonly { readonly path: string; readonly state: "uses" | "left" }[];
  readonly backups: readonly { readonly path: string; readonly madeAt: string }[];
}

export const command: CommandDefinition = defineCommand({
  declare: (parser) => parser,
  examples: ["autokestra keys list", "autokestra keys list --json"],
  prints: true,
  run: listMasterKeys,
});

/** Lists the master keys of this machine: a table for people, tab-separated for pipes, or JSON. Never a key. */
async function listMasterKeys({ terminal, place }: CommandContext): Promise<void> {
  const { keyFile, defaults } = place;
  const { keys, missing } = await listKeys({
    keyFile,
    defaultKeyFile: defaults?.keyFile,
    onNotice: noticesTo(terminal),
  });
  const shown: readonly ShownKey[] = [
    ...keys.map(toShown),
    ...missing.map(({ fingerprint, stores, backups }) =>
      toShown({ fingerprint, kind: null, paths: [], isDefault: false, isPending: false, stores, backups }),
    ),
  ];
  if (terminal.json) terminal.write(`${JSON.stringify(shown)}\n`);
  else if (shown.length === 0) terminal.note("No keys found");
  else {
    // People read one path per line.
    const separator = terminal.outputIsTty ? "\n" : ", ";
    const rows = shown.map((key) => toRow(key, separator));
    await printTable(terminal, HEADER, rows);
  }
  terminal.note(
    "note: copies of keys, stores and backups that were made by other programs or on other machines are not listed",
  );
}

function toShown({ fingerprint, kind, paths, isDefault, isPending, stores, backups }: ShownKey): ShownKey {
  return { fingerprint, kind, paths, isDefault, isPending, stores, backups };
}

function toRow(key: ShownKey, separator: string): string[] {
  const { fingerprint, kind, paths, isDefault, isPending, stores, backups } = key;
  const state = kind === null ? "not here" : isDefault ? "default" : isPending ? "prepared" : "kept";
  return [
    fingerprint ?? "unknown",
    kind === null ? "" : kind === "bytes" ? "key" : "passphrase",
    state,
    paths.map(showPath).join(separator),
    stores.map((store) => showPath(store.path) + (store.state === "left" ? " (before)" : "")).join(separator),
    backups.map(({ path }) => showPath(path)).join(separator),
  ];
}

/** Escapes a path, without quotes around it. */
function showPath(path: string): string {
  return quotePath(path).slice(1, -1);
}
