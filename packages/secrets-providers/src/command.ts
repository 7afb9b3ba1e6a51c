/**
 * Takes secrets from a program that prints them.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { AutokestraError, type ExternalSecretProvider } from "@autokestra/secrets-core";
import { errorCode, z } from "@autokestra/secrets-core/internal";
import { decodeText, denied, type Failure, malformed, meaning, quoteLong, timedOut, unavailable } from "./answers.ts";
import { defineProvider, type ProviderContext, type ProviderDefinition } from "./define-provider.ts";

export interface CommandProviderOptions extends Partial<ProviderContext> {
  /**
   * The program and its arguments, such as `["pass", "show", "{name}"]`; `{name}` is the requested path. No shell is
   * used.
   */
  readonly command: readonly string[];
  /** The names of the environment variables that the program gets, besides `PATH`. Default: none. */
  readonly variables?: readonly string[] | undefined;
  /** The meaning of exit codes other than 0. Default: `malformed`. */
  readonly exitCodes?: Readonly<Record<string, Failure["status"]>> | undefined;
}

/** The maximum size of the output, in bytes. */
const MAX_BYTES = 4 * 1024 * 1024;

/**
 * Creates a provider that runs a program for each secret. The value is what the program prints, without one newline at
 * the end. Its standard error is dropped, because it can quote the value. It is killed after its time limit (default:
 * 10 s).
 *
 * @throws AutokestraError `OPTION_INVALID`
 *
 * @example
 * ```ts
 * import { createCommandProvider } from "@autokestra/secrets-providers/command";
 *
 * const provider = createCommandProvider({ command: ["echo", "the value of {name}"] });
 * const answer = await provider.lookup(
 *   { path: "DB", format: "json" },
 *   { signal: AbortSignal.timeout(5000), deadline: Date.now() + 5000 },
 * );
 * console.log(answer.status); // prints found
 * await provider.close();
 * ```
 */
export function createCommandProvider(options: CommandProviderOptions): ExternalSecretProvider {
  const { id = "command", env = process.env, command, variables = [], exitCodes = {} } = options;
  const [program, ...template] = command;
  if (program === undefined || program.includes("{name}") || !template.some((part) => part.includes("{name}"))) {
    throw new AutokestraError(
      "OPTION_INVALID",
      "The command of a provider needs a program, and {name} in an argument",
      {
        hint: 'Write it like ["pass", "show", "{name}"].',
      },
    );
  }
  const passed = Object.fromEntries(
    ["PATH", ...variables].flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])),
  );

  return {
    id,
    type: "command",
    capabilities: { versions: false, leases: false },
    timeoutSeconds: 10,
    async lookup({ path, format }, { signal }) {
      if (path.startsWith("-") && template.some((part) => part.startsWith("{name}"))) {
        return malformed(`${quoteLong(path)} begins with a hyphen: the program would take it for an option`);
      }
      if (path.includes("\0")) return malformed("the path holds a null character");
      const args = template.map((part) => part.replaceAll("{name}", () => path));
      const said = await run(program, args, passed, signal);
      if ("status" in said) return said;
      if (said.exitCode !== 0) {
        const hint = "Run it by hand. What its exit codes mean can be configured.";
        const reason = `${quoteLong(program)} ended with code ${said.exitCode}`;
        return meaning(exitCodes[said.exitCode] ?? "malformed", reason, hint);
      }
      const text = decodeText(said.output);
      if (text === null) return malformed(`${quoteLong(program)} has printed what is not UTF-8 text`);
      return { status: "found", secret: { value: format === "text" ? text : text.replace(/\r?\n$/, "") } };
    },
    /** Without the name of a secret there is nothing to check. */
    check: async () => ({ status: "found", secret: {} }),
    close: async () => undefined,
  };
}

type Said = { readonly exitCode: number; readonly output: Buffer } | Failure;

async function run(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<Said> {
  // In its own process group, so that its child processes are killed with it.
  const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "ignore"], detached: true });
  const end = () => endGroup(child);
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  try {
    return await new Promise<Said>((resolve) => {
      const chunks: Buffer[] = [];
      let length = 0;
      child.stdout.on("data", (chunk: Buffer) => {
        length += chunk.length;
        if (length > MAX_BYTES) end();
        else chunks.push(chunk);
      });
      child.once("error", (error) => resolve(notStarted(program, errorCode(error))));
      child.once("close", (exitCode) => {
        const what = quoteLong(program);
        if (signal.aborted) resolve(timedOut(`${what} did not end in time`));
        else if (length > MAX_BYTES) resolve(malformed(`${what} has printed more than 4 MiB`));
        else if (exitCode === null) resolve(unavailable(`${what} was ended by a signal`));
        else resolve({ exitCode, output: Buffer.concat(chunks) });
      });
    });
  } finally {
    signal.removeEventListener("abort", end);
  }
}

function endGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // It has already ended.
  }
}

function notStarted(program: string, code: string): Said {
  const reason = `${quoteLong(program)} cannot be started (${code || "unknown error"})`;
  return code === "ENOENT" ? unavailable(reason, "Check that it is installed, and in PATH.") : denied(reason);
}

/** The type `command` of a configuration. */
export const commandProvider: ProviderDefinition = defineProvider({
  type: "command",
  options: z.strictObject({
    command: z.array(z.string()).min(1),
    variables: z.array(z.string()).exactOptional(),
    exitCodes: z
      .record(z.string().regex(/^[1-9]\d{0,2}$/), z.enum(["notFound", "denied", "unavailable", "malformed"]))
      .exactOptional(),
  }),
  create: (options, context) => createCommandProvider({ ...options, ...context }),
});
