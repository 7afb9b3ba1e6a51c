import { isAbsolute } from "node:path";
import { type Action, defineAction, definePlugin, type Plugin, TaskError, z } from "@autokestra/plugin-sdk";
import { type ProcessResult, runProcess } from "./run-process.ts";

/** The input of `core/shell.run`: a command with its arguments, or a script for a shell. */
export interface ShellInput {
  readonly command?: string | undefined;
  readonly args: readonly string[];
  readonly script?: string | undefined;
  /** The shell of a script, with its options. */
  readonly shell?: readonly string[] | undefined;
  /** Variables of the environment. Besides them, there are only PATH, HOME and LANG. */
  readonly env: Readonly<Record<string, string>>;
  readonly stdin?: string | undefined;
  readonly cwd?: string | undefined;
  /** Exit codes that do not fail the task. */
  readonly allowExitCodes: readonly number[];
}

/** The output of `core/shell.run`. */
export interface ShellOutput {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly durationMs: number;
  /** Only if there was more than 1 MiB. */
  readonly truncated?: true;
}

const text = z
  .union([z.string(), z.number(), z.boolean()])
  .transform(String)
  .refine((value) => !value.includes("\0"), "must not contain a NUL character");

const input: z.ZodType<ShellInput> = z
  .strictObject({
    command: text.refine((value) => value !== "", "must not be empty").exactOptional(),
    args: z.array(text).default([]),
    script: z.string().exactOptional(),
    shell: z.array(z.string()).min(1).exactOptional(),
    env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), text).default({}),
    stdin: z.union([z.string(), z.number(), z.boolean()]).transform(String).exactOptional(),
    cwd: text.exactOptional(),
    allowExitCodes: z.array(z.int().min(0).max(255)).min(1).default([0]),
  })
  .superRefine((given, context) => {
    const problem = misused(given);
    if (problem !== null) context.addIssue({ code: "custom", message: problem, params: { expected: problem } });
  });

/** What does not go together in an input; null if everything does. */
function misused({ command, script, args, stdin, shell }: ShellInput): string | null {
  if ((command === undefined) === (script === undefined)) return "either a command or a script";
  if (script === undefined) return shell === undefined ? null : "a shell only with a script";
  if (args.length > 0) return "args only with a command";
  return stdin === undefined ? null : "stdin only with a command: a shell reads its script from there";
}

const DEFAULT_SHELL = ["bash", "-euo", "pipefail"];

/** `core/shell.run`: runs a program, without a shell unless a script asks for one. */
export const runShell: Action<ShellInput, ShellOutput> = defineAction({
  description: "Runs a program, or a script in a shell. An exit code other than 0 fails the task.",
  input,
  textInputs: ["command", "args", "env", "stdin", "cwd"],
  shownInputs: ["command", "args", "shell", "cwd"],
  literalInputs: ["script", "shell"],
  endsOnSignal: true,
  async run({ command, args, script, shell = DEFAULT_SHELL, env, stdin, cwd, allowExitCodes }, { print, signal }) {
    const [program = "", ...more] = command === undefined ? shell : [command, ...args];
    const start = performance.now();
    const result = await runProcess({
      program,
      args: more,
      env: { ...baseEnvironment(), ...env },
      stdin: script ?? stdin ?? null,
      cwd,
      signal,
      print,
    });
    const durationMs = Math.round(performance.now() - start);
    const { exitCode, stdout, stderr, isTruncated } = result;
    if (exitCode === null || !allowExitCodes.includes(exitCode)) throw failure(result);
    return { exitCode, stdout, stderr, durationMs, ...(isTruncated && { truncated: true as const }) };
  },
});

/** The plugin `core/shell`, with `core/shell.run`. */
export const shellPlugin: Plugin = definePlugin({ name: "core/shell", actions: { run: runShell } });

const BASE_VARIABLES = ["PATH", "HOME", "LANG"];

function baseEnvironment(): Record<string, string> {
  return Object.fromEntries(
    BASE_VARIABLES.flatMap((name) => {
      const value = process.env[name];
      return value === undefined || (name === "HOME" && !isAbsolute(value)) ? [] : [[name, value]];
    }),
  );
}

function failure({ exitCode, signal, lastLines }: ProcessResult): TaskError {
  const how = exitCode === null ? `ended by ${signal ?? "a signal"}` : `exit code ${exitCode}`;
  const message = lastLines === "" ? how : `${how}; the end of its standard error:\n${lastLines}`;
  return new TaskError({ message, code: exitCode === null ? "KILLED" : "EXIT_CODE" });
}
