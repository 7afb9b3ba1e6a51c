import { realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

/** Returns a path as an absolute one whose links are resolved, also where it does not exist yet: its folder can be a link. */
export function realPath(path: string): string {
  const absolute = resolve(path);
  try {
    return realpathSync(absolute);
  } catch {
    const folder = dirname(absolute);
    return absolute === folder ? absolute : join(realPath(folder), basename(absolute));
  }
}
