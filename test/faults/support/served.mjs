import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { openSecretsManager, openTokens } from "../../../packages/secrets/dist/index.js";
import { keyed, placeOf } from "./installation.mjs";
import { CLI, NODE } from "./sandbox.mjs";

/** A token of an admin, and the store. @param {string} folder */
export async function makeToken(folder) {
  const manager = await openSecretsManager({ env: keyed(folder), storagePath: placeOf(folder) });
  const tokens = await openTokens(manager);
  const { token } = await tokens.create({ name: "all", role: "admin", prefixes: null, tags: null, expiresAt: null });
  tokens.close();
  await manager.secrets.close();
  return token;
}

/**
 * Starts the built command on a free port, and waits for its line.
 *
 * @param {string} folder @param {readonly string[]} [args]
 */
export async function startServer(folder, args = []) {
  const [node = "", ...options] = NODE;
  const child = spawn(node, [...options, CLI, "serve", "--port", "0", ...args], {
    cwd: folder,
    env: keyed(folder),
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  /** @type {Promise<number | null>} */
  const ended = new Promise((resolve) => child.on("close", resolve));
  /** @type {string} */
  const address = await new Promise((resolve, reject) => {
    child.stderr.on("data", (data) => {
      said = (said + data).slice(-10_000);
      const [, found] = /ready on (\S+)/.exec(said) ?? [];
      if (found !== undefined) resolve(found);
    });
    child.on("close", () => reject(new Error(`the server has ended: ${said}`)));
  });
  return { child, ended, address, said: () => said };
}

/** The memory that a process has now, in MiB. @param {number | undefined} pid */
export function memoryMiB(pid) {
  return Math.round(Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024);
}

/**
 * Asks a server with a token. @param {string} address @param {string} token @param {string} path
 * @param {{ body?: object, headers?: Record<string, string>, method?: string }} [options]
 */
export async function ask(
  address,
  token,
  path,
  { body, headers = {}, method = body === undefined ? "GET" : "POST" } = {},
) {
  const response = await fetch(address + path, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body && { "content-type": "application/json" }), ...headers },
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json() };
}
