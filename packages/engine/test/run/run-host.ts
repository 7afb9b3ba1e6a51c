import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openRunHistory, type RunEvent, type RunSummary } from "@autokestra/runs";
import { rolldown } from "rolldown";

interface HostResult {
  /** Null where a signal has ended the process. */
  readonly code: number | null;
  readonly events: readonly RunEvent[];
  /** What `runWorkflow` has returned; null where it never has. */
  readonly returned: string | null;
  readonly stderr: string;
  /** The run, as the history has it. */
  readonly recorded: RunSummary | undefined;
}

/** The built `plugin-host.ts`, and the folder of its run histories. */
export interface Host {
  /** @param tasks a list in YAML */
  run(tasks: string, options?: { flags?: readonly string[]; env?: NodeJS.ProcessEnv }): Promise<HostResult>;
  remove(): void;
}

export async function buildHost(): Promise<Host> {
  // Inside the package, so that better-sqlite3 is found.
  const folder = mkdtempSync(fileURLToPath(new URL("../../node_modules/.test-host-", import.meta.url)));
  const bundle = await rolldown({
    input: fileURLToPath(new URL("plugin-host.ts", import.meta.url)),
    platform: "node",
    external: ["better-sqlite3"],
    resolve: { conditionNames: ["@autokestra/source", "node", "import", "default"] },
  });
  await bundle.write({ dir: folder, format: "esm", entryFileNames: "host.mjs" });
  await bundle.close();
  let count = 0;
  return {
    async run(tasks, { flags = [], env = {} } = {}) {
      count += 1;
      const path = join(folder, String(count), "runs.db");
      const { code, stdout, stderr } = await execute([join(folder, "host.mjs"), tasks, path, ...flags], {
        PATH: process.env["PATH"],
        HOME: join(folder, "home"),
        WORKFLOW_SECRETS_STORAGE_PATH: join(folder, "secrets"),
        ...env,
      });
      const lines = stdout.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));
      const history = await openRunHistory({ path });
      const [recorded] = await history.list();
      await history.close();
      const returned = lines.find((line) => "returned" in line)?.returned ?? null;
      return { code, events: lines.filter((line) => "event" in line), returned, stderr, recorded };
    },
    remove: () => rmSync(folder, { recursive: true }),
  };
}

async function execute(args: readonly string[], env: NodeJS.ProcessEnv) {
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, stdout, stderr };
}
