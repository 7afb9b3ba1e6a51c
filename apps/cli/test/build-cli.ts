import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type OutputChunk, rolldown } from "rolldown";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** The built command. */
    cli: string;
    /** The packages of others of which something is in a file of it. */
    libraries: Readonly<Record<string, readonly string[]>>;
  }
}

/**
 * Builds the command once before all tests: they run it as people do, in a process of its own. In a folder of its own, so that
 * two test runs at once do not take it from each other; inside the app, so that better-sqlite3 is found.
 */
export async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const app = fileURLToPath(new URL("..", import.meta.url));
  const { bundle: config } = await import("../rolldown.config.mjs");
  const place = await mkdtemp(join(app, "node_modules", ".test-build-"));
  const folder = join(place, "dist");
  const bundle = await rolldown({ ...config, cwd: app });
  const { output } = await bundle.write({ ...config.output, dir: folder });
  await bundle.close();
  const process = await rolldown({
    input: { "command-process": join(app, "test", "command-process.ts") },
    platform: "node",
  });
  await process.write({ dir: join(folder, "process"), format: "cjs", entryFileNames: "[name].cjs" });
  await process.close();
  provide(
    "libraries",
    Object.fromEntries(output.flatMap((file) => (file.type === "chunk" ? [librariesOf(file)] : []))),
  );
  provide("cli", join(folder, "autokestra.cjs"));
  return async () => await rm(place, { recursive: true });
}

function librariesOf({ fileName, moduleIds }: OutputChunk): [string, string[]] {
  const names = moduleIds.flatMap((id) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(id)?.[1] ?? []);
  return [fileName, [...new Set(names)]];
}
