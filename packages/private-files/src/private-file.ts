import { fstatSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { OTHERS, STICKY } from "./permission.ts";
import type { Refuse } from "./refuse.ts";

/**
 * Checks that only its owner can read an open file, that the owner is this user or root, and that not everybody can put
 * another in its place.
 *
 * @param path the file's, for its folder and the hints
 * @throws what `refuse` makes of `can be read by others`, `belongs to another user` or `lies in a folder that everybody can
 * write to`, with the command to run
 */
export function checkPrivateFile(descriptor: number, path: string, refuse: Refuse): void {
  const { mode, uid } = fstatSync(descriptor);
  const me = process.geteuid?.() ?? uid;
  if (uid !== me && uid !== 0) throw refuse("belongs to another user", `Make it yours: chown ${me} '${path}'`);
  if ((mode & OTHERS) !== 0) throw refuse("can be read by others", `Run: chmod 600 '${path}'`);
  checkFolder(dirname(path), refuse);
}

/**
 * Checks that not everybody can replace the files in a folder. In a sticky one, such as /tmp, only the owner of a file can.
 *
 * @throws what `refuse` makes of `lies in a folder that everybody can write to`
 */
export function checkFolder(folder: string, refuse: Refuse): void {
  const { mode } = statSync(folder);
  if ((mode & 0o002) === 0 || (mode & STICKY) !== 0) return;
  throw refuse("lies in a folder that everybody can write to", `Run: chmod o-w '${folder}'`);
}
