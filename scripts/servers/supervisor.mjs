// Runs a server until standard input ends, as it does however the process ends that started this; then stops it and removes its folder.
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";

/**
 * @typedef {object} Plan
 * @property {readonly (readonly [command: string, ...args: string[]])[]} commands One after the other; the last is the server.
 * @property {NodeJS.Signals} stopSignal Ends the server at once.
 * @property {string} folder Its home, working and temporary folder.
 * @property {{ uid: number, gid: number }} [user] Default: the user of this process.
 */

const GRACE_MS = 10_000;

/** @type {Plan} */
const { commands, stopSignal, folder, user } = JSON.parse(process.argv[2] ?? "");
let isStopping = false;
/** @type {import("node:child_process").ChildProcess | undefined} */
let running;

function stop() {
  isStopping = true;
  running?.kill(stopSignal);
  setTimeout(() => running?.kill("SIGKILL"), GRACE_MS).unref();
}

/** @param {readonly [command: string, ...args: string[]]} command @returns {Promise<number>} Its exit code, 1 where it has none. */
async function runToEnd([command, ...args]) {
  return await new Promise((resolve) => {
    running = spawn(command, args, { cwd: folder, stdio: ["ignore", "inherit", "inherit"], ...user });
    running.on("error", ({ message }) => {
      console.error(message);
      resolve(1);
    });
    running.on("exit", (code) => resolve(code ?? 1));
  });
}

process.stdin.on("close", stop).resume();
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) process.on(signal, stop);

let status = 0;
for (const command of commands) {
  if (status === 0 && !isStopping) status = await runToEnd(command);
}
rmSync(folder, { recursive: true, force: true });
process.exit(status);
