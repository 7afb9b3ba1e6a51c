import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const SDK = fileURLToPath(new URL("../../../plugin-sdk/", import.meta.url));

/** Puts the SDK into `node_modules` of a folder, built as a package. */
export async function installSdk(folder: string): Promise<void> {
  const root = join(folder, "node_modules/@autokestra/plugin-sdk");
  const bundle = await rolldown({
    input: { index: `${SDK}src/index.ts`, child: `${SDK}src/host/child.ts` },
    platform: "node",
    resolve: { conditionNames: ["@autokestra/source", "node", "import", "default"] },
  });
  await bundle.write({ dir: root, format: "esm", entryFileNames: "[name].js", chunkFileNames: "shared.js" });
  await bundle.close();
  const exports = { ".": "./index.js", "./child": "./child.js" };
  writeFileSync(
    join(root, "package.json"),
    JSON.stringify({ name: "@autokestra/plugin-sdk", type: "module", exports }),
  );
}

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
