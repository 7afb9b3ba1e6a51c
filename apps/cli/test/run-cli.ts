import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inject } from "vitest";

/** The built command. */
export const CLI: string = inject("cli");

interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A home and a working directory of one test, and the command in them. */
export interface Sandbox {
  readonly folder: string;
  /** Runs the command, or another copy of it; `input` is its standard input. */
  ak(
    args: readonly string[],
    options?: { input?: string | Buffer; env?: NodeJS.ProcessEnv; cli?: string },
  ): Promise<CliResult>;
  remove(): void;
}

/** Makes an empty place for one test. The environment of the command has nothing of this process but PATH. */
export function createSandbox(): Sandbox {
  const folder = mkdtempSync(join(tmpdir(), "autokestra-cli-"));
  return {
    folder,
    async ak(args, { input = "", env = {}, cli = CLI } = {}) {
      const child = spawn(process.execPath, [cli, ...args], {
        cwd: folder,
        env: { PATH: process.env["PATH"], HOME: join(folder, "home"), ...env },
      });
      child.stdin.on("error", () => undefined);
      child.stdin.end(input);
      const [stdout, stderr, code] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        new Promise<number | null>((resolve) => child.on("close", resolve)),
      ]);
      return { code, stdout, stderr };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

async function text(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString("utf8");
}
