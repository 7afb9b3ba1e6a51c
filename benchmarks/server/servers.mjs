import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openSecretsManager, openTokens } from "../../packages/secrets/dist/index.js";
import { nameOf, PLAINTEXT } from "../stores/installation.mjs";

/**
 * A server in a process of its own.
 *
 * @typedef {object} MeasuredServer
 * @property {string} address
 * @property {readonly string[]} paths One for each secret, to which `/decrypt` can be added.
 * @property {Readonly<Record<string, string>>} headers
 * @property {() => Promise<{ cpu: number, rss: number }>} usage Microseconds of CPU time since its start, and bytes.
 * @property {() => Promise<void>} close
 */

const KEY = "0123456789abcdef".repeat(4);

/** What one would write by hand. @param {string} folder @param {number} size @returns {Promise<MeasuredServer>} */
export async function startBare(folder, size) {
  const server = await start(folder, {}, pathOf("bare.mjs"), [folder, String(size)]);
  return { ...server, headers: {}, paths: Array.from({ length: size }, (_, index) => `/${nameOf(index)}`) };
}

/** The built command. @param {string} folder @param {number} size @returns {Promise<MeasuredServer>} */
export async function startOurs(folder, size) {
  mkdirSync(join(folder, "home"));
  writeFileSync(join(folder, "autokestra.config.yaml"), "server:\n  requestsPerMinute: 1000000\n");
  const env = { PATH: process.env["PATH"], HOME: join(folder, "home"), AUTOKESTRA_SECRET_KEY: KEY };
  const manager = await openSecretsManager({ env: { ...env }, storagePath: join(folder, ".workflow", "secrets") });
  const { fields } = JSON.parse(PLAINTEXT);
  const inputs = Array.from({ length: size }, (_, index) => ({ name: nameOf(index), type: "apiKey", fields }));
  const stored = await manager.secrets.setAll(inputs);
  const tokens = await openTokens(manager);
  const { token } = await tokens.create({ name: "load", role: "admin", prefixes: null, tags: null, expiresAt: null });
  tokens.close();
  await manager.secrets.close();
  const server = await start(folder, env, pathOf("../../apps/cli/dist/autokestra.cjs"), ["serve", "--port", "0"]);
  const paths = stored.map(({ id }) => `/api/secrets/${id}`);
  return { ...server, headers: { authorization: `Bearer ${token}` }, paths };
}

/** @param {string} folder @param {NodeJS.ProcessEnv} env @param {string} program @param {readonly string[]} args */
async function start(folder, env, program, args) {
  const execArgv = ["--import", pathOf("report-usage.mjs"), ...(process.env["PROFILE"]?.split(" ") ?? [])];
  const child = fork(program, args, { cwd: folder, env, execArgv, stdio: ["ignore", "pipe", "pipe", "ipc"] });
  const address = await new Promise((resolve, reject) => {
    // Its log is read and thrown away, as a collector of logs reads it.
    const listen = (/** @type {Buffer} */ data) => {
      const [found] = /http:\/\/[\d.]+:\d+/.exec(String(data)) ?? [];
      if (found !== undefined) resolve(found);
    };
    for (const output of [child.stdout, child.stderr]) output?.on("data", listen);
    child.once("exit", () => reject(new Error(`${program} has ended`)));
  });
  return {
    address,
    async usage() {
      child.send("usage");
      const [{ user, system, rss }] = await once(child, "message");
      return { cpu: user + system, rss };
    },
    async close() {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    },
  };
}

/** @param {string} relative */
function pathOf(relative) {
  return fileURLToPath(new URL(relative, import.meta.url));
}
