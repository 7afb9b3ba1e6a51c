// A process that runs the command as often as it is told to: starting Node and loading modules take longer than most commands. Each run
// has standard streams, arguments, environment, folder and listeners of its own, and nothing that modules remember of another one
// (`forgetful` in `build-cli.ts`); a command that ends the process ends it.
import { Console } from "node:console";
import type { EventEmitter } from "node:events";
import { closeSync, createReadStream, openSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { Writable } from "node:stream";

/** What this process is told. It answers with the exit code. */
export interface CommandCall {
  /** The built command. */
  readonly cli: string;
  /** The folder of the modules that it is run with. */
  readonly modules: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** The files that are standard input, output and error. */
  readonly files: readonly string[];
}

const require = createRequire(import.meta.url);
/** This process, whatever its events are named. */
const events: EventEmitter = process;

/** What lies elsewhere is another copy of the command, and what locks files tells this process so when it is loaded. */
const isKept = (file: string) => dirname(file) === import.meta.dirname && !/lockfile|store-file/.test(file);

/** What modules have to do to be as they were when they were loaded. */
const { resets } = Object.assign(globalThis, { resets: new Set<() => void>() });

process.on("message", (call: CommandCall) => void answer(call));
process.on("disconnect", () => process.exit());

async function answer(call: CommandCall): Promise<void> {
  const code = await runCommand(call);
  process.send?.(code);
}

async function runCommand({ cli, modules, args, cwd, env, files }: CommandCall): Promise<unknown> {
  const putBack = rememberProcess();
  redirect(files);
  process.chdir(cwd);
  Object.assign(process.env, env);
  process.argv = [process.execPath, cli, ...args];
  for (const file of Object.keys(require.cache)) if (!isKept(file)) delete require.cache[file];
  for (const reset of resets) reset();
  process.exitCode = 1;
  process.exitCode = await require(join(modules, "main.cjs")).main(args);
  events.emit("exit", process.exitCode);
  const { exitCode } = process;
  redirect(["/dev/null", "/dev/null", "/dev/null"]);
  putBack();
  return exitCode;
}

/** The lowest number that is free is the one that was closed. */
function redirect(files: CommandCall["files"]): void {
  for (const [descriptor, file] of files.entries()) {
    closeSync(descriptor);
    if (openSync(file, descriptor === 0 ? "r" : "w") !== descriptor) throw new Error("another descriptor was free");
  }
  const [stdout, stderr] = [outputOf(1), outputOf(2)];
  const streams = { stdin: createReadStream("", { fd: 0, autoClose: false }), stdout, stderr };
  for (const [name, value] of Object.entries(streams))
    Object.defineProperty(process, name, { configurable: true, value });
  globalThis.console = new Console(stdout, stderr);
}

function outputOf(descriptor: number): Writable {
  return new Writable({
    write(chunk: Uint8Array, _, done) {
      writeSync(descriptor, chunk);
      done();
    },
  });
}

/** What commands change of this process. Returns what puts it back. */
function rememberProcess(): () => void {
  const methods = ["emit", "kill", "emitWarning"].map((name) => [name, Reflect.get(process, name)] as const);
  const before = new Map(process.eventNames().map((name) => [name, events.rawListeners(name)]));
  return () => {
    for (const name of Object.keys(process.env)) delete process.env[name];
    for (const [name, method] of methods) Reflect.set(process, name, method);
    for (const name of process.eventNames()) {
      for (const listener of events.rawListeners(name)) {
        if (before.get(name)?.includes(listener) !== true) events.off(name, listener as () => void);
      }
    }
  };
}
