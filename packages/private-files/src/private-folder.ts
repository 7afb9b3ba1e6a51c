import { mkdirSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { quotePath } from "@autokestra/secrets-core/internal";
import type { Refuse } from "./private-file.ts";
import { GROUP_AND_OTHERS, openToOthersError, restrictToOwner, STICKY } from "./private-file.ts";
import { syncFolder } from "./temporary-file.ts";

/**
 * Creates a folder and its missing parents with mode 0700. Their names are on the disk when it returns.
 *
 * @returns false if it already exists; nothing is changed then
 */
export function makePrivateFolder(folder: string): boolean {
  // Resolved, because mkdir returns the first folder that it has created as it was spelled.
  const last = resolve(folder);
  const first = mkdirSync(last, { recursive: true, mode: 0o700 });
  if (first === undefined) return false;
  for (let at = last; at.length >= first.length; at = dirname(at)) syncFolder(dirname(at));
  return true;
}

/**
 * Makes sure that the folder of a store exists and that only its owner can enter it. Closes a folder to others only if
 * it is empty or has the store already, because others may need any other folder, such as /tmp.
 *
 * @param path the path of the file of the store
 * @throws what `refuse` returns for `other users can reach "/srv"`, with the command to run as hint
 */
export function preparePrivateFolder(path: string, refuse: Refuse): void {
  const folder = dirname(path);
  if (makePrivateFolder(folder)) return;
  const { mode } = statSync(folder);
  if ((mode & GROUP_AND_OTHERS) === 0) return;
  const own = "Give the store a folder of its own";
  if ((mode & STICKY) !== 0) throw openToOthersError(folder, `${own}.`, refuse);
  const entries = readdirSync(folder);
  if (entries.length > 0 && !entries.includes(basename(path))) {
    const close = `\`chmod 700 ${quotePath(folder)}\``;
    throw openToOthersError(folder, `${own}, or run ${close} if no one else needs this one.`, refuse);
  }
  restrictToOwner(folder, "700", refuse);
}
