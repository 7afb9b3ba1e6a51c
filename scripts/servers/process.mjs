import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/**
 * @typedef {object} Launch What to start, once folder and port are known.
 * @property {import("./supervisor.mjs").Plan["commands"]} commands
 * @property {NodeJS.Signals} stopSignal
 * @property {{ uid: number, gid: number }} [user]
 * @property {Record<string, string>} [env] Beside PATH, HOME and TMPDIR.
 * @property {(printed: string) => boolean | Promise<boolean>} isReady Whether it answers. What it throws means no.
 *
 * @typedef {object} Running
 * @property {() => string} output What the server has printed, up to its last MiB.
 * @property {() => Promise<void>} close Stops the server and removes its folder.
 */

const supervisor = fileURLToPath(new URL("supervisor.mjs", import.meta.url));
const READY_WITHIN_MS = 120_000;
const POLL_MS = 50;
/** Characters of its output. */
const MAX_OUTPUT = 1024 * 1024;

/**
 * Starts a server on a free port of loopback, with a private temporary folder as its home, and waits until it answers. It ends with the
 * process that called this, however that ends.
 *
 * @param {string} title
 * @param {(folder: string, port: number) => Launch} prepare
 * @returns {Promise<Running & { port: number }>}
 * @throws {Error} With what the server printed, where it does not start.
 */
export async function startProcess(title, prepare) {
  for (;;) {
    const port = await freePort();
    const started = await tryStart(prepare, port);
    if ("close" in started) return { ...started, port };
    // Somebody else took the port between our look and its start.
    if (!/address already in use/i.test(started.printed)) {
      throw new Error(`${title} did not start\n${started.printed.trimEnd()}`);
    }
  }
}

/**
 * @param {(folder: string, port: number) => Launch} prepare
 * @param {number} port
 * @returns {Promise<Running | { printed: string }>}
 */
async function tryStart(prepare, port) {
  const folder = mkdtempSync(join(tmpdir(), "autokestra-server-"));
  const { env, isReady, ...launch } = launchIn(folder, port, prepare);
  const child = spawn(process.execPath, [supervisor, JSON.stringify({ ...launch, folder })], {
    env: { PATH: process.env["PATH"], HOME: folder, TMPDIR: folder, ...env },
    // Ctrl-C in a terminal reaches the whole group: the server must end after its users.
    detached: true,
  });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => {
      printed = (printed + text).slice(-MAX_OUTPUT);
    });
  }
  const ended = new Promise((resolve) => child.on("close", resolve));
  const close = async () => {
    child.stdin.end();
    await ended;
  };
  const deadline = performance.now() + READY_WITHIN_MS;
  while (child.exitCode === null && performance.now() < deadline) {
    if (await answers(isReady, printed)) return { output: () => printed, close };
    await Promise.race([sleep(POLL_MS), ended]);
  }
  await close();
  return { printed };
}

/**
 * @param {string} folder Removed where the preparation fails.
 * @param {number} port
 * @param {(folder: string, port: number) => Launch} prepare
 */
function launchIn(folder, port, prepare) {
  try {
    return prepare(folder, port);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

/** @param {Launch["isReady"]} isReady @param {string} printed */
async function answers(isReady, printed) {
  try {
    return await isReady(printed);
  } catch {
    return false;
  }
}

/** @returns {Promise<number>} */
async function freePort() {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
