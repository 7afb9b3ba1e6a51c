// `pnpm servers`: the real servers that tests talk to, for daily work; `pnpm servers install` installs those that come from Python. Tests
// start their own with the functions that are exported here.
import { randomBytes } from "node:crypto";
import { chownSync, cpSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { mustRun } from "./run.mjs";
import { availableServers, installServers, postgresFolder, programs } from "./servers/installation.mjs";
import { startProcess } from "./servers/process.mjs";

/**
 * @typedef {import("./servers/process.mjs").Running} Running
 * @typedef {Running & { address: string, token: string, unsealKey: string }} OpenBao
 * @typedef {Running & { endpoint: string }} Moto
 * @typedef {Running & { host: string, port: number, user: string, password: string, database: string }} Postgres
 */

const HOST = "127.0.0.1";
const UNSEAL_KEY = /^Unseal Key: (\S+)$/m;

/**
 * Starts OpenBao in memory, unsealed, with KV version 2 at `secret/`.
 *
 * @returns {Promise<OpenBao>} `token` is the root token.
 */
export async function startOpenBao() {
  const token = randomBytes(16).toString("hex");
  const { port, ...running } = await startProcess("OpenBao", (_, free) => ({
    commands: [[programs.openbao, "server", "-dev", "-dev-no-store-token", `-dev-listen-address=${HOST}:${free}`]],
    stopSignal: "SIGTERM",
    env: { BAO_DEV_ROOT_TOKEN_ID: token },
    // The key is the last that it prints; the engine still gets its versions then, and says so with 400.
    isReady: async (printed) => {
      const headers = { "x-vault-token": token };
      return (
        UNSEAL_KEY.test(printed) &&
        (await fetch(`http://${HOST}:${free}/v1/secret/data/none`, { headers })).status === 404
      );
    },
  }));
  const [, unsealKey = ""] = UNSEAL_KEY.exec(running.output()) ?? [];
  return { ...running, address: `http://${HOST}:${port}`, token, unsealKey };
}

/**
 * Starts moto, which answers as AWS does. It takes any credentials, and each start is an empty account.
 *
 * @returns {Promise<Moto>}
 */
export async function startMoto() {
  const { port, ...running } = await startProcess("moto", (_, free) => ({
    commands: [[programs.moto, "-H", HOST, "-p", String(free)]],
    stopSignal: "SIGTERM",
    isReady: async () => (await fetch(`http://${HOST}:${free}/moto-api/data.json`)).ok,
  }));
  return { ...running, endpoint: `http://${HOST}:${port}` };
}

/**
 * Starts PostgreSQL with an empty database. Root may not run it: then `nobody` does.
 *
 * @param {string | null} [installed] The folder with its `bin`, `lib` and `share`.
 * @returns {Promise<Postgres>} `user` is the superuser.
 */
export async function startPostgres(installed = postgresFolder()) {
  if (installed === null) throw new Error("PostgreSQL is not installed");
  const [user, password, database] = ["postgres", randomBytes(16).toString("hex"), "postgres"];
  const { port, ...running } = await startProcess("PostgreSQL", (folder, free) => {
    const [data, passwordFile] = [join(folder, "data"), join(folder, "password")];
    writeFileSync(passwordFile, password, { mode: 0o600 });
    const nobody = process.getuid?.() === 0 ? accountOf("nobody") : undefined;
    let binaries = join(installed, "bin");
    if (nobody !== undefined) {
      for (const path of [folder, passwordFile]) chownSync(path, nobody.uid, nobody.gid);
      // A checkout may be in a folder that only its owner can enter, such as /root.
      if (!isOpenToAll(binaries)) {
        cpSync(installed, join(folder, "postgres"), { recursive: true, verbatimSymlinks: true });
        binaries = join(folder, "postgres", "bin");
      }
    }
    const login = ["--username", user, "--pwfile", passwordFile, "--auth", "scram-sha-256"];
    const settings = { listen_addresses: HOST, port: free, unix_socket_directories: "", fsync: "off" };
    return {
      commands: [
        [join(binaries, "initdb"), "--pgdata", data, ...login, "--encoding", "UTF8", "--locale", "C", "--no-sync"],
        [
          join(binaries, "postgres"),
          "-D",
          data,
          ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
        ],
      ],
      // Does not wait for clients.
      stopSignal: "SIGINT",
      ...(nobody === undefined ? {} : { user: nobody }),
      // What pg_ctl waits for.
      isReady: () => readFileSync(join(data, "postmaster.pid"), "utf8").split("\n")[7]?.trim() === "ready",
    };
  });
  return { ...running, host: HOST, port, user, password, database };
}

/** Whether every user can enter a folder and all above it. @param {string} folder @returns {boolean} */
function isOpenToAll(folder) {
  const isOpen = (statSync(folder).mode & 0o001) !== 0;
  return isOpen && (folder === dirname(folder) || isOpenToAll(dirname(folder)));
}

/** @param {string} name */
function accountOf(name) {
  return { uid: Number(mustRun("id", ["-u", name])), gid: Number(mustRun("id", ["-g", name])) };
}

/** How each is started by hand, and what is then printed about it. */
const byHand = {
  openbao: async () => {
    const { address, token, close } = await startOpenBao();
    return { close, use: `export BAO_ADDR=${address} BAO_TOKEN=${token}; ${programs.openbao} secrets list` };
  },
  moto: async () => {
    const { endpoint, close } = await startMoto();
    const account = "AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any";
    return { close, use: `export AWS_ENDPOINT_URL=${endpoint} ${account}; aws secretsmanager list-secrets` };
  },
  postgres: async () => {
    const { host, port, user, password, database, close } = await startPostgres();
    return { close, use: `psql postgres://${user}:${password}@${host}:${port}/${database}` };
  },
};

/** Starts what is installed, until Ctrl-C. */
async function runByHand() {
  const stopped = new Promise((resolve) => {
    for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) process.once(signal, resolve);
  });
  const closers = await Promise.all(
    availableServers().map(async ({ name, title, installed, install }) => {
      if (!installed) {
        console.log(`${title.padEnd(12)}not installed: ${install}`);
        return async () => undefined;
      }
      const { use, close } = await byHand[name]();
      console.log(`${title.padEnd(12)}${use}`);
      return close;
    }),
  );
  console.log("Ctrl-C stops all; nothing of theirs is kept.");
  await stopped;
  await Promise.all(closers.map(async (close) => await close()));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv[2] === "install") installServers();
  else await runByHand();
}
