import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** All bytes of all files in a folder. A database in it loses its locks: nothing but closing may come after. */
export function contentOf(folder: string): Buffer {
  return Buffer.concat(readdirSync(folder).map((name) => readFileSync(join(folder, name))));
}
