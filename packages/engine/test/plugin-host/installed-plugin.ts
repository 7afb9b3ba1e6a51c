import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

/** Builds `plugin-parent.ts`. Returns its path. */
export async function buildParent(folder: string): Promise<string> {
  const bundle = await rolldown({
    input: fileURLToPath(new URL("plugin-parent.ts", import.meta.url)),
    platform: "node",
    external: ["better-sqlite3"],
    resolve: { conditionNames: ["@autokestra/source", "node", "import", "default"] },
  });
  await bundle.write({ dir: folder, format: "esm", entryFileNames: "parent.mjs", chunkFileNames: "parent-[name].mjs" });
  await bundle.close();
  return join(folder, "parent.mjs");
}

/** Writes files, whose folders are made. */
export function writeFiles(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}
