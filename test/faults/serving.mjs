// D11, W20 and O1: the running server. SIGTERM and SIGHUP at random moments under load: no acknowledged write is lost, and no request
// fails while the configuration is read again. What a request names as a path or file: URL is never opened. The system calls of the
// server are those that the unit of systemd in docs/operate allows.
import { spawn, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { keyed, run } from "./support/installation.mjs";
import { createRandom, SEED } from "./support/random.mjs";
import { childrenOf, inRound, printRows } from "./support/rounds.mjs";
import { CLI, inFolder, NODE } from "./support/sandbox.mjs";
import { HAS_STRACE } from "./support/strace.mjs";

const ROUNDS = process.argv.includes("--short") ? 3 : 30;
const CLIENTS = 16;
const random = createRandom(SEED);
/** More than any machine writes. */
const SERVER = "log: false, requestsPerMinute: 1000000";
/** How long a process may take to end: only one that waits for its clients takes this long. */
const LONGEST_MS = 60_000;

/** @param {string} folder @param {string} name */
async function makeToken(folder, name) {
  return (await run(folder, ["tokens", "create", name, "--role", "admin"])).stdout.trim();
}

/** Starts the server, and waits for its line. @param {string} folder @param {readonly string[]} [args] @param {readonly string[]} [under] */
async function serve(folder, args = [], under = []) {
  const [command = "", ...rest] = [...under, ...NODE, CLI, "serve", "--port", "0", ...args];
  const child = spawn(command, rest, { cwd: folder, env: keyed(folder), stdio: ["ignore", "ignore", "pipe"] });
  const closed = new Promise((resolve) => child.on("close", resolve));
  let said = "";
  await new Promise((resolve, reject) => {
    child.stderr.on("data", (data) => {
      said += String(data);
      if (/ready on \S+\n/.test(said)) resolve(undefined);
    });
    void closed.then(() => reject(new Error(said)));
  });
  const address = /ready on (\S+)/.exec(said)?.[1] ?? "";
  return { child, closed, address, said: () => said };
}

/**
 * Clients that write, until the server no longer answers.
 *
 * @param {string} address @param {string} token @param {string} prefix
 */
function load(address, token, prefix) {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const figures = { acks: /** @type {string[]} */ ([]), refused: 0, isEnded: false };
  /** @type {() => void} */
  let onFirst = () => undefined;
  /** @type {Promise<void>} */
  const begun = new Promise((resolve) => {
    onFirst = resolve;
  });
  const clients = Array.from({ length: CLIENTS }, async (_, client) => {
    for (let count = 0; !figures.isEnded; count++) {
      const name = `${prefix}_${client}_${count}`;
      try {
        const body = JSON.stringify({ name, value: name });
        const { status } = await fetch(`${address}/api/secrets`, { method: "POST", headers, body });
        if (status === 201) figures.acks.push(name);
        else figures.refused++;
        onFirst();
      } catch {
        return;
      }
    }
  });
  const done = Promise.all(clients);
  return { figures, begun: Promise.race([begun, done]), done };
}

async function measureSigterm() {
  const totals = { acks: 0, lost: 0, wrongExits: 0, slowest: 0 };
  await inFolder(async (folder) => {
    writeFileSync(join(folder, "autokestra.config.yaml"), `server: { ${SERVER} }\n`, { mode: 0o600 });
    const token = await makeToken(folder, "load");
    const endOnce = async (/** @type {number} */ round) => {
      const { child, closed, address } = await serve(folder);
      const { figures, begun, done } = load(address, token, `R${round}`);
      await begun;
      await new Promise((resolve) => setTimeout(resolve, random() * 800));
      const start = performance.now();
      child.kill("SIGTERM");
      const code = await closed;
      totals.slowest = Math.max(totals.slowest, performance.now() - start);
      await done;
      if (code !== 0) totals.wrongExits++;
      const { stdout } = await run(folder, ["secrets", "list", "--prefix", `R${round}_`, "--json"]);
      const kept = new Set(JSON.parse(stdout).map((/** @type {{ name: string }} */ { name }) => name));
      totals.acks += figures.acks.length;
      totals.lost += figures.acks.filter((name) => !kept.has(name)).length;
    };
    for (let round = 0; round < ROUNDS; round++) await inRound(`SIGTERM ${round}`, async () => await endOnce(round));
    if ((await run(folder, ["audit", "verify"])).status !== 0) totals.lost++;
  });
  const { acks, lost, wrongExits, slowest } = totals;
  const seconds = (slowest / 1000).toFixed(1);
  const figure = `${ROUNDS} times SIGTERM, ${acks} writes acknowledged, ${lost} lost, ${wrongExits} wrong exit codes, ${seconds} s at most; seed ${SEED}`;
  return { id: "D11", figure, pass: acks > 0 && lost + wrongExits === 0 && slowest < LONGEST_MS };
}

async function measureReloads() {
  return await inFolder(async (folder) => {
    const config = join(folder, "autokestra.config.yaml");
    const write = (/** @type {string} */ text) => writeFileSync(config, text, { mode: 0o600 });
    write(`server: { ${SERVER} }\n`);
    const token = await makeToken(folder, "load");
    const { child, closed, address, said } = await serve(folder, ["--config", config]);
    const { figures, begun, done } = load(address, token, "RELOADED");
    await begun;
    let broken = 0;
    const told = () => [...said().matchAll(/has reloaded|was not reloaded/g)].length;
    for (let round = 1; round <= ROUNDS * 4; round++) {
      const isBroken = round % 4 === 0;
      if (isBroken) broken++;
      write(isBroken ? "server: { log: [" : `server: { ${SERVER}, hosts: [h${round}.example] }\n`);
      child.kill("SIGHUP");
      while (told() < round) {
        if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the server has ended: ${said()}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
    figures.isEnded = true;
    await done;
    child.kill("SIGTERM");
    const code = await closed;
    const refused = [...said().matchAll(/was not reloaded/g)].length;
    const figure = `${ROUNDS * 4} times SIGHUP under load, ${broken} with a broken configuration, ${refused} of them told; ${figures.acks.length} writes, ${figures.refused} failed`;
    const pass = code === 0 && refused === broken && figures.refused === 0 && figures.acks.length > 0;
    return { id: "D11-reload", figure, pass };
  });
}

const CANARY = "w20-canary";

/** Every place of a request that takes a text, with a path in it. @param {string} path */
function requestsWith(path) {
  const bodies = [
    { name: path, value: "v" },
    { name: "A_PATH", value: path, description: path, tags: [path], expiresAt: path },
    { name: "A_PATH", value: path, description: path },
    { name: "FIELDS", type: "custom", fields: { [path]: path, file: path }, publicFields: [path], maskFields: [path] },
    { name: "CERTIFICATE", type: "certificate", fields: { certificate: path, privateKey: path } },
    { name: "TYPE", type: path, value: "v" },
    { path, file: path, url: path, $ref: path, value: { $ref: path } },
  ];
  const text = encodeURIComponent(path);
  return [
    ...bodies.map((body) => ({ method: "POST", url: "/api/secrets", body })),
    ...bodies.map((body) => ({ method: "PUT", url: "/api/secrets/ID", body })),
    { method: "POST", url: "/api/secrets/ID/rollback", body: { to: path } },
    ...["tag", "prefix", "type", "state", "expiresBefore", "after"].map((key) => ({
      method: "GET",
      url: `/api/secrets?${key}=${text}`,
    })),
    { method: "GET", url: `/api/secrets/name/${text}` },
    { method: "GET", url: `/api/secrets/${text}/decrypt?field=${text}` },
    { method: "GET", url: `/docs/${path}` },
    { method: "GET", url: `/${path}` },
  ];
}

/** Only what makes or opens files, or what every call is: a path in a body is not what is looked for. */
async function measurePaths() {
  if (!HAS_STRACE) return [{ id: "W20", figure: "not run", missing: "strace" }];
  return await inFolder(async (folder) => {
    const token = await makeToken(folder, "paths");
    const config = join(folder, "w20-control.yaml");
    writeFileSync(config, "server: { log: false }\n", { mode: 0o600 });
    const log = join(folder, "calls");
    const { child, closed, address } = await serve(
      folder,
      ["--config", config],
      ["strace", "-f", "-qq", "-s", "300", "-e", "signal=none", "-o", log],
    );
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const { id } = /** @type {{ id: string }} */ (
      await (
        await fetch(`${address}/api/secrets`, { method: "POST", headers, body: '{"name":"FIRST","value":"v"}' })
      ).json()
    );
    const statuses = new Map();
    let requests = 0;
    const forms = [
      `/${CANARY}`,
      `file:///${CANARY}`,
      `../../${CANARY}`,
      `@/${CANARY}`,
      `~/${CANARY}`,
      `//host/${CANARY}`,
    ];
    for (const form of forms) {
      for (const { method, url, body } of requestsWith(form).flatMap((one) => [{ body: undefined, ...one }])) {
        const options = {
          method,
          headers: requests % 5 === 0 ? { ...headers, "if-match": `"${form}"` } : headers,
          ...(body && { body: JSON.stringify(body) }),
        };
        const { status } = await fetch(address + url.replace("ID", id), options);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        requests++;
      }
    }
    // strace ends its child only if the child gets the signal itself.
    for (const server of childrenOf(child.pid ?? 0)) process.kill(server, "SIGTERM");
    await closed;
    const lines = readFileSync(log, "utf8").split("\n");
    const ofFiles = lines.filter((line) =>
      /^\d+ +(open|stat|lstat|access|readlink|statx|newfstat|mkdir|unlink|rename|link|execve|chdir)/.test(line),
    );
    const opened = ofFiles.filter((line) => line.includes(CANARY));
    for (const line of opened) console.log(line);
    // That it would be seen: the configuration, and the store.
    const isSeen = ["w20-control.yaml", "access.db"].every((file) => ofFiles.some((line) => line.includes(file)));
    const served = [...statuses].map(([status, count]) => `${count} × ${status}`).join(", ");
    const figure = `${requests} requests with paths and URLs of files (${served}): ${opened.length} opened; ${ofFiles.length} calls seen`;
    return [
      { id: "W20", figure, pass: opened.length === 0 && isSeen && !statuses.has(500) },
      checkCalls(new Set(lines.flatMap((line) => /^\d+ +([a-z0-9_]+)\(/.exec(line)?.[1] ?? []))),
    ];
  });
}

/** Whether the unit of systemd lets the server make its system calls. @param {ReadonlySet<string>} used */
function checkCalls(used) {
  const id = "O1";
  const unit = readFileSync("docs/operate/autokestra.service", "utf8");
  const filters = [...unit.matchAll(/^SystemCallFilter=(~?)(.*)$/gm)];
  /** @type {Set<string>} */
  const allowed = new Set();
  for (const [, isDenied, sets = ""] of filters) {
    for (const set of sets.split(" ")) {
      const calls = callsOf(set);
      if (calls === null) return { id, figure: "not run", missing: "systemd-analyze" };
      for (const call of calls) {
        if (isDenied) allowed.delete(call);
        else allowed.add(call);
      }
    }
  }
  const denied = [...used].filter((call) => !allowed.has(call) && !callsOf("@default")?.has(call));
  const figure = `${used.size} system calls used by the server, ${denied.length} not allowed by the unit of systemd${denied.length > 0 ? `: ${denied.join(", ")}` : ""}`;
  return { id, figure, pass: used.size > 20 && denied.length === 0 };
}

/** The calls of a set, and of the sets in it. @param {string} set @returns {Set<string> | null} */
function callsOf(set) {
  if (!set.startsWith("@")) return new Set([set]);
  const { status, stdout } = spawnSync("systemd-analyze", ["syscall-filter", set], { encoding: "utf8" });
  if (status !== 0) return null;
  const names = stdout.split("\n").flatMap((line) => /^ {4}([@a-z0-9_-]+)$/.exec(line)?.[1] ?? []);
  const calls = new Set();
  for (const name of names) for (const call of callsOf(name) ?? []) calls.add(call);
  return calls;
}

printRows([
  await inRound("SIGTERM", measureSigterm),
  await inRound("SIGHUP", measureReloads),
  await inRound("W20", measurePaths),
]);
