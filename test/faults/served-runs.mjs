// Servers with runs that end, and two of them over one folder, from the built command: what a client was told of a run is true afterwards.
import { createHmac } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { openSecretsManager } from "../../packages/secrets/dist/index.js";
import { keyed, placeOf } from "./support/installation.mjs";
import { createRandom, SEED } from "./support/random.mjs";
import { inRound, printRows } from "./support/rounds.mjs";
import { inFolder } from "./support/sandbox.mjs";
import { ask, makeToken, startServer } from "./support/served.mjs";

const IS_SHORT = process.argv.includes("--short");
const KILLS = IS_SHORT ? 2 : 20;
const WAITING = IS_SHORT ? 100 : 1000;
const HOOKS = IS_SHORT ? 10 : 100;
const DRAIN_SECONDS = 2;
const HOOK_KEY = "the-key-of-the-hook";
const random = createRandom(SEED);

const shell = (/** @type {string} */ command, /** @type {string[]} */ ...args) =>
  `tasks: [{ id: a, type: core/shell.run, inputs: { command: ${command}, args: ${JSON.stringify(args)} } }]`;

/** @param {string} folder @param {string} minute when the schedule starts a run */
async function fill(folder, minute) {
  const manager = await openSecretsManager({ env: keyed(folder), storagePath: placeOf(folder) });
  await manager.secrets.create({ name: "HOOK_KEY", type: "apiKey", fields: { value: HOOK_KEY } });
  await manager.secrets.close();
  const workflows = join(folder, "workflows");
  mkdirSync(workflows);
  const hook = "secrets: [HOOK_KEY], trigger: { type: webhook, secret: HOOK_KEY, signature: hmac-sha256 }";
  const files = {
    short: shell("sleep", "0.05"),
    long: shell("sleep", "3600"),
    hook: `${hook}, ${shell("true")}`,
    cron: `trigger: { type: cron, cron: "${minute}" }, ${shell("true")}`,
  };
  for (const [id, text] of Object.entries(files)) {
    writeFileSync(join(workflows, `${id}.yaml`), `{ apiVersion: v1, id: ${id}, ${text} }`);
  }
  const server = `{ maxRuns: 2, drainSeconds: ${DRAIN_SECONDS}, requestsPerMinute: 1000000 }`;
  writeFileSync(join(folder, "autokestra.config.yaml"), `server: ${server}\nruns: { keepRuns: 100000 }\n`);
  return ["--workflows", workflows];
}

/** @typedef {Awaited<ReturnType<typeof startServer>>} Server */

/** @param {Server} server @param {string} token @param {string} id */
async function statusOf({ address }, token, id) {
  return (await ask(address, token, `/api/runs/${id}`)).body.status ?? "not found";
}

/** Kills of a server that takes runs: each run that was answered with 202 is told afterwards, and ends; its key gives it. @param {string} folder */
async function killWhileStarting(folder) {
  const args = await fill(folder, "0 0 1 1 *");
  const token = await makeToken(folder);
  /** @type {Map<string, string>} */
  const told = new Map();
  let key = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const server = await startServer(folder, args);
    const before = told.size;
    const clients = Array.from({ length: 4 }, async () => {
      for (;;) {
        const mine = `key-${key++}`;
        const options = { body: { workflow: "short" }, headers: { "idempotency-key": mine } };
        const answer = await ask(server.address, token, "/api/runs", options).catch(() => null);
        if (answer === null) return;
        if (answer.status === 202) told.set(mine, answer.body.execution);
        else if (answer.status !== 429) throw new Error(`a start is answered with ${answer.status}`);
        else await setTimeout(100);
      }
    });
    const all = Promise.all(clients);
    const begun = async () => {
      while (told.size - before < 4) await setTimeout(10);
    };
    await Promise.race([begun(), all]);
    await setTimeout(random() * 1000);
    server.child.kill("SIGKILL");
    await Promise.all([all, server.ended]);
  }
  const server = await startServer(folder, args);
  const statuses = { success: 0, resumed: 0, wrong: 0, "other key": 0 };
  for (const [mine, id] of told) {
    let status = await statusOf(server, token, id);
    if (status === "lost") {
      statuses.resumed++;
      await ask(server.address, token, `/api/runs/${id}/resume`, { body: {} });
    }
    for (; /queued|running|lost/.test(status); status = await statusOf(server, token, id)) await setTimeout(20);
    if (status === "success") statuses.success++;
    else statuses.wrong++;
    const again = { body: { workflow: "short" }, headers: { "idempotency-key": mine } };
    if ((await ask(server.address, token, "/api/runs", again)).body.execution !== id) statuses["other key"]++;
  }
  server.child.kill("SIGTERM");
  await server.ended;
  const figure = `${KILLS} kills of a server that takes runs (seed ${SEED}): ${told.size} runs were told, ${statuses.success} have succeeded, ${statuses.resumed} of them resumed; ${statuses.wrong} lost or failed, ${statuses["other key"]} keys with another run`;
  return {
    id: "RK1",
    figure,
    pass: told.size > KILLS && statuses.success === told.size && statuses["other key"] === 0,
  };
}

/** SIGTERM while many wait. @param {string} folder */
async function endWhileManyWait(folder) {
  const args = await fill(folder, "0 0 1 1 *");
  const token = await makeToken(folder);
  const server = await startServer(folder, args);
  const start = async () =>
    (await ask(server.address, token, "/api/runs", { body: { workflow: "long" } })).body.execution;
  const ids = [];
  for (let index = 0; index < WAITING / 20; index++)
    ids.push(...(await Promise.all(Array.from({ length: 20 }, start))));
  const begin = performance.now();
  server.child.kill("SIGTERM");
  const code = await server.ended;
  const seconds = (performance.now() - begin) / 1000;
  const next = await startServer(folder, args);
  const runs = [];
  for (const id of ids) runs.push((await ask(next.address, token, `/api/runs/${id}`)).body);
  const right = runs.filter(({ status, cancelledBy }) => status === "cancelled" && cancelledBy === "shutdown").length;
  next.child.kill("SIGTERM");
  await next.ended;
  const figure = `SIGTERM with 2 runs and ${ids.length - 2} that wait: ended with ${code} after ${seconds.toFixed(1)} s, ${right} are recorded as cancelled by the shutdown`;
  // Without an end of its own, it would wait for an hour.
  return { id: "D11", figure, pass: code === 0 && right === ids.length && seconds < DRAIN_SECONDS + 60 };
}

/** Two servers over one folder. @param {string} folder */
async function serveTwice(folder) {
  const args = await fill(folder, IS_SHORT ? "0 0 1 1 *" : "* * * * *");
  const token = await makeToken(folder);
  const servers = [await startServer(folder, args), await startServer(folder, args)];
  const [one] = servers;
  if (one === undefined) throw new Error("no server");
  const sent = Array.from({ length: HOOKS }, async (_, index) => {
    const body = `{"n":${index}}`;
    const timestamp = String(Math.floor(Date.now() / 1000));
    const signature = createHmac("sha256", HOOK_KEY).update(`m${index}.${timestamp}.${body}`).digest("base64");
    const headers = {
      "webhook-id": `m${index}`,
      "webhook-timestamp": timestamp,
      "webhook-signature": `v1,${signature}`,
    };
    const answers = servers.map(async ({ address }) => {
      const response = await fetch(`${address}/api/hooks/hook`, { method: "POST", headers, body });
      return (await response.json()).execution;
    });
    return await Promise.all(answers);
  });
  const pairs = await Promise.all(sent);
  const same = pairs.filter(([first, second]) => first !== undefined && first === second).length;
  const minutes = IS_SHORT ? 0 : 2;
  const begin = new Date();
  await setTimeout(minutes * 60_000);
  const count = async (/** @type {string} */ workflow) =>
    (await ask(one.address, token, `/api/runs?limit=1000&workflow=${workflow}`)).body.length;
  while ((await ask(one.address, token, "/api/runs?status=queued")).body.length > 0) await setTimeout(100);
  await setTimeout(1000);
  const passed = Math.floor(Date.now() / 60_000) - Math.floor(begin.getTime() / 60_000);
  const [hooks, times] = [await count("hook"), await count("cron")];
  for (const { child, ended } of servers) {
    child.kill("SIGTERM");
    await ended;
  }
  const figure = `two servers over one folder: ${HOOKS} webhooks sent to both started ${hooks} runs, and ${same} got the same run; ${passed} minutes of a schedule started ${times}`;
  return { id: "RK2", figure, pass: hooks === HOOKS && same === HOOKS && (IS_SHORT || times === passed) };
}

printRows([
  await inRound("kills", async () => await inFolder(killWhileStarting)),
  await inRound("SIGTERM", async () => await inFolder(endWhileManyWait)),
  await inRound("two servers", async () => await inFolder(serveTwice)),
]);
