import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inject } from "vitest";

/** The built command. */
export const CLI: string = inject("cli");

interface CliResult {
  /** Null where a signal has ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface CliOptions {
  /** Standard input. Default: empty. */
  readonly input?: string | Buffer;
  readonly env?: NodeJS.ProcessEnv;
  /** Another copy of the command. */
  readonly cli?: string;
  /** A project below the folder of the test, made if it is not there. Default: that folder. */
  readonly project?: string;
}

/** A home and a working directory of one test, and the command in them. */
export interface Sandbox {
  readonly folder: string;
  /** The key folder. */
  readonly keys: string;
  /** Runs the command. */
  ak(args: readonly string[], options?: CliOptions): Promise<CliResult>;
  /** Starts the command. */
  start(
    args: readonly string[],
    options?: CliOptions,
  ): { readonly child: ChildProcess; readonly ended: Promise<CliResult> };
  remove(): void;
}

/** Makes an empty place for one test. The environment of the command has nothing of this process but PATH. */
export function createSandbox(): Sandbox {
  const folder = mkdtempSync(join(tmpdir(), "autokestra-cli-"));
  const box: Sandbox = {
    folder,
    keys: join(folder, "home", ".autokestra"),
    async ak(args, options) {
      return await box.start(args, options).ended;
    },
    start(args, { input = "", env = {}, cli = CLI, project = "." } = {}) {
      const cwd = join(folder, project);
      mkdirSync(cwd, { recursive: true });
      const child = spawn(process.execPath, [cli, ...args], {
        cwd,
        env: { PATH: process.env["PATH"], HOME: join(folder, "home"), ...env },
      });
      child.stdin.on("error", () => undefined);
      child.stdin.end(input);
      const code = new Promise<number | null>((resolve) => child.on("close", resolve));
      const ended = Promise.all([text(child.stdout), text(child.stderr), code]);
      return { child, ended: ended.then(([stdout, stderr, exit]) => ({ code: exit, stdout, stderr })) };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
  return box;
}

async function text(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString("utf8");
}
