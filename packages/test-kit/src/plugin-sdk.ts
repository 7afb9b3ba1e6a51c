import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const SDK = fileURLToPath(new URL("../../plugin-sdk/", import.meta.url));

/** Names and texts of its files: compiled once in this worker. */
let compiled: Promise<readonly (readonly [name: string, code: string])[]> | undefined;

/** Puts the SDK of plugins into `node_modules` of a folder, built as a package. */
export async function installPluginSdk(folder: string): Promise<void> {
  const root = join(folder, "node_modules/@autokestra/plugin-sdk");
  compiled ??= compile();
  const files = await compiled;
  mkdirSync(root, { recursive: true });
  for (const [name, code] of files) writeFileSync(join(root, name), code);
  const exports = { ".": "./index.js", "./child": "./child.js", "./testing": "./testing.js" };
  writeFileSync(
    join(root, "package.json"),
    JSON.stringify({ name: "@autokestra/plugin-sdk", type: "module", exports }),
  );
}

async function compile(): Promise<readonly (readonly [name: string, code: string])[]> {
  const bundle = await rolldown({
    input: { index: `${SDK}src/index.ts`, child: `${SDK}src/host/child.ts`, testing: `${SDK}src/testing/index.ts` },
    platform: "node",
    resolve: { conditionNames: ["@autokestra/source", "node", "import", "default"] },
  });
  const { output } = await bundle.generate({
    format: "esm",
    entryFileNames: "[name].js",
    chunkFileNames: "shared-[name].js",
  });
  await bundle.close();
  return output.flatMap((file) => (file.type === "chunk" ? [[file.fileName, file.code]] : []));
}
