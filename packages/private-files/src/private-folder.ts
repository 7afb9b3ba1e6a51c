import { mkdirSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { quotePath } from "@autokestra/secrets-core/internal";
import type { Refuse } from "./private-file.ts";
import { exposed, OTHERS, restrictToOwner, STICKY } from "./private-file.ts";
import { syncFolder } from "./temporary-file.ts";

/**
 * Makes a folder, and those above it, with mode 0700. Their names are on the disk when it returns.
 *
 * @returns false, and changes nothing, where it is there already
 */
export function makePrivateFolder(folder: string): boolean {
  // Resolved: mkdir returns the first folder it has made in the spelling it was given.
  const last = resolve(folder);
  const first = mkdirSync(last, { recursive: true, mode: 0o700 });
  if (first === undefined) return false;
  for (let at = last; at.length >= first.length; at = dirname(at)) syncFolder(dirname(at));
  return true;
}

/**
 * Makes sure that the folder of a store exists and that nobody else can enter it. A folder that others can enter is closed to
 * them if it is empty or holds the store already; any other may be in use for something else, as /tmp is.
 *
 * @param path the file of the store
 * @throws what `refuse` makes of `other users can reach "/srv"` and the command to run
 */
export function preparePrivateFolder(path: string, refuse: Refuse): void {
  const folder = dirname(path);
  if (makePrivateFolder(folder)) return;
  const { mode } = statSync(folder);
  if ((mode & OTHERS) === 0) return;
  const own = "Give the store a folder of its own";
  if ((mode & STICKY) !== 0) throw exposed(folder, `${own}.`, refuse);
  const entries = readdirSync(folder);
  if (entries.length > 0 && !entries.includes(basename(path))) {
    const close = `\`chmod 700 ${quotePath(folder)}\``;
    throw exposed(folder, `${own}, or run ${close} if nobody else needs this one.`, refuse);
  }
  restrictToOwner(folder, "700", refuse);
}
