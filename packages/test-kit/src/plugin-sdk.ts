import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const SDK = fileURLToPath(new URL("../../plugin-sdk/", import.meta.url));

/** Puts the SDK of plugins into `node_modules` of a folder, built as a package. */
export async function installPluginSdk(folder: string): Promise<void> {
  const root = join(folder, "node_modules/@autokestra/plugin-sdk");
  const bundle = await rolldown({
    input: { index: `${SDK}src/index.ts`, child: `${SDK}src/host/child.ts`, testing: `${SDK}src/testing/index.ts` },
    platform: "node",
    resolve: { conditionNames: ["@autokestra/source", "node", "import", "default"] },
  });
  await bundle.write({ dir: root, format: "esm", entryFileNames: "[name].js", chunkFileNames: "shared-[name].js" });
  await bundle.close();
  const exports = { ".": "./index.js", "./child": "./child.js", "./testing": "./testing.js" };
  writeFileSync(
    join(root, "package.json"),
    JSON.stringify({ name: "@autokestra/plugin-sdk", type: "module", exports }),
  );
}
