import { mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseConfig } from "@autokestra/config";
import { rolldown } from "rolldown";
import { PluginHost } from "../../src/plugin-host/plugin-host.ts";

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

/** Writes files, whose folders are made. */
export function writeFiles(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

/**
 * The plugins of a configuration in a folder.
 *
 * @param plugins the value of `plugins`, in YAML
 */
export function openHost(folder: string, plugins: string): PluginHost {
  const path = join(realpathSync(folder), "autokestra.config.yaml");
  return new PluginHost(parseConfig(`plugins: ${plugins}\n`, path), [path]);
}
