import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { inject } from "vitest";
import type { CommandCall } from "./command-process.ts";

/** The built command. */
export const CLI: string = inject("cli");

/** The same, as `command-process.ts` runs it, which lies there too. */
const FORGETFUL = inject("forgetful");

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
  /** Runs the command, after the one before it has ended, in a process that has run others: what is asked of a process needs `start`. */
  ak(args: readonly string[], options?: CliOptions): Promise<CliResult>;
  /** Starts the command in a process of its own. */
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
    async ak(args, { input = "", ...options } = {}) {
      const place = placeOf(folder, options);
      // Options of Node are for its start.
      if (place.env["NODE_OPTIONS"] !== undefined) return await box.start(args, { input, ...options }).ended;
      return await commands.run(args, input, place);
    },
    start(args, { input = "", ...options } = {}) {
      const { cli, cwd, env } = placeOf(folder, options);
      const child = spawn(process.execPath, [cli, ...args], { cwd, env });
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

type Place = Pick<CommandCall, "cli" | "cwd" | "env">;

/** Where the command runs, which is made if it is not there. */
function placeOf(folder: string, { env = {}, cli = CLI, project = "." }: CliOptions): Place {
  const cwd = join(folder, project);
  mkdirSync(cwd, { recursive: true });
  return { cli, cwd, env: { PATH: process.env["PATH"], HOME: join(folder, "home"), ...env } };
}

/** One process for all commands of the test files in a worker, with which it ends; after a command that has ended it, another one. */
class CommandProcess {
  /** Removed with the built command. */
  readonly #folder = mkdtempSync(join(dirname(CLI), "streams-"));
  #child: ChildProcess | undefined;
  #last: Promise<unknown> = Promise.resolve();

  async run(args: readonly string[], input: string | Buffer, place: Place): Promise<CliResult> {
    const result = this.#last.then(async () => await this.#run(args, input, place));
    this.#last = result;
    return await result;
  }

  async #run(args: readonly string[], input: string | Buffer, place: Place): Promise<CliResult> {
    const files = ["stdin", "stdout", "stderr"].map((name) => join(this.#folder, name));
    for (const [descriptor, file] of files.entries()) writeFileSync(file, descriptor === 0 ? input : "");
    const modules = place.cli === CLI ? FORGETFUL : dirname(place.cli);
    const code = await this.#call({ ...place, modules, args, files });
    const [, stdout = "", stderr = ""] = files.map((file) => readFileSync(file, "utf8"));
    return { code, stdout, stderr };
  }

  async #call(call: CommandCall): Promise<number | null> {
    this.#child ??= fork(join(FORGETFUL, "command-process.cjs"), {
      env: {},
      execArgv: [],
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    const child = this.#child;
    child.send(call);
    const stop = new AbortController();
    const exited = once(child, "exit", stop).then(([code]) => {
      this.#child = undefined;
      return code;
    });
    const answered = once(child, "message", stop).then(([code]) => code);
    try {
      return await Promise.race([answered, exited]);
    } finally {
      stop.abort();
    }
  }
}

const commands = new CommandProcess();

async function text(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString("utf8");
}
