import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type OutputChunk, type Plugin, rolldown } from "rolldown";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** The built command. */
    cli: string;
    /** The folder of the command whose modules can forget. */
    forgetful: string;
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
  const copy = join(place, "forgetful");
  const forgetful = await rolldown({
    ...config,
    cwd: app,
    input: Object.assign({ "command-process": join(app, "test", "command-process.ts") }, config.input),
    plugins: [config.plugins, forgetting],
  });
  await forgetful.write({ ...config.output, dir: copy, minify: false });
  await forgetful.close();
  provide(
    "libraries",
    Object.fromEntries(output.flatMap((file) => (file.type === "chunk" ? [librariesOf(file)] : []))),
  );
  provide("forgetful", copy);
  provide("cli", join(folder, "autokestra.cjs"));
  return async () => await rm(place, { recursive: true });
}

/** What a module of ours changes while it runs: variables, and what is empty at first. */
const STATE =
  /^(?:export )?(?:let (?<variable>\w+)(?:: [^=;]+)?(?: = (?<first>.+))?|const (?<collection>\w+)(?:: [^=]+)? = (?<empty>new (?:Weak)?(?:Map|Set)(?:<.+>)?\(\)|\[\]|\{\}));$/gm;

/** Lets each module put that back (`command-process.ts` asks it to), so that one process can run command after command without loading it again. */
const forgetting: Plugin = {
  name: "forgetting",
  transform: {
    order: "pre",
    filter: { id: /\/(?:packages\/[\w-]+|apps\/cli)\/src\/.*\.ts$/ },
    handler: (code) =>
      code.replace(STATE, (line, variable, first, collection, empty) => {
        const reset = `${variable ?? collection} = ${first ?? empty ?? "undefined"}`;
        return `${line.replace("const", "let")} globalThis.resets?.add(() => { ${reset}; });`;
      }),
  },
};

function librariesOf({ fileName, moduleIds }: OutputChunk): [string, string[]] {
  const names = moduleIds.flatMap((id) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(id)?.[1] ?? []);
  return [fileName, [...new Set(names)]];
}
