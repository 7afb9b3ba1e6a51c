// Clients that say nothing, never end their headers or their body, or never read their answer, beside one that is served meanwhile. That no
// more than so many are taken at once: packages/server/test/connections.test.ts.
import { connect } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { openSecretsManager, openTokens } from "../../packages/secrets/dist/index.js";
import { startServer } from "../../packages/server/dist/index.js";
import { keyed, placeOf } from "./support/installation.mjs";
import { inRound, printRows } from "./support/rounds.mjs";
import { inFolder } from "./support/sandbox.mjs";

/** Of each kind. */
const CLIENTS = process.argv.includes("--short") ? 50 : 200;
/** Each makes the server decrypt a lot. */
const READERS = 2;
/** The slowest are gone after a minute to read and two looks at all connections: only who is never ended is there after this. */
const LONGEST_S = 400;
/** How long another client waits at most: who waits for those that are slow waits for half a minute and more. */
const LONGEST_WAIT_MS = 25_000;
/** Of the answer that nobody reads: more than the buffers of a connection take. */
const LARGE = "x".repeat(900_000);
/** Requests for it, one behind the other. */
const PIPELINED = 12;

/** @param {string} folder */
async function measure(folder) {
  const manager = await openSecretsManager({ env: keyed(folder), storagePath: placeOf(folder), audit: true });
  const { id } = await manager.secrets.create({ name: "LARGE", type: "apiKey", fields: { value: LARGE } });
  const tokens = await openTokens(manager);
  const { token } = await tokens.create({ name: "all", role: "admin", prefixes: null, tags: null, expiresAt: null });
  const server = await startServer({
    port: 0,
    secretsFor: (context) => manager.as(context),
    tokens,
    audit: manager.audit,
    requestsPerMinute: 1_000_000,
    refusedPerMinute: 1_000_000,
  });
  const { port, host } = new URL(server.address);
  const authorization = `Authorization: Bearer ${token}`;
  const head = (/** @type {string} */ line) => `${line} HTTP/1.1\r\nHost: ${host}\r\n${authorization}\r\n`;
  const started = performance.now();
  const open = new Set();
  let longest = 0;

  /** @param {string} text @param {string | null} drip what follows every second */
  function start(text, drip) {
    const socket = connect(Number(port), "127.0.0.1", () => socket.write(text));
    const timer = drip === null ? undefined : setInterval(() => socket.write(drip), 1000);
    open.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => {
      clearInterval(timer);
      open.delete(socket);
      longest = Math.max(longest, performance.now() - started);
    });
    return socket;
  }

  async function ask() {
    const before = performance.now();
    const response = await fetch(`${server.address}/api/secrets?limit=1`, {
      headers: { authorization: `Bearer ${token}`, connection: "close" },
    }).catch(() => null);
    return response?.status === 200 ? performance.now() - before : Number.POSITIVE_INFINITY;
  }

  const body = `${head("POST /api/secrets")}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n`;
  const unread = `${head(`GET /api/secrets/${id}/decrypt`)}\r\n`.repeat(PIPELINED);
  for (let index = 0; index < CLIENTS; index++) {
    start("", null).resume();
    start(head("GET /api/secrets"), "X: y\r\n").resume();
    start(body, " ").resume();
    if (index < READERS) start(unread, null).pause();
  }
  const all = open.size;
  /** What is paused does not hear that it was closed. @returns {Promise<number>} */
  const connections = async () =>
    await new Promise((done) => server.app.server.getConnections((_, count) => done(count)));
  let slowest = 0;
  let held = all;
  for (; held > 0 && performance.now() - started < LONGEST_S * 1000; held = await connections()) {
    slowest = Math.max(slowest, await ask());
    await wait(200);
  }
  for (const socket of open) socket.destroy();
  await server.close();
  tokens.close();
  await manager.secrets.close();
  const figure =
    `${all} clients that say nothing, drip headers or bodies, or do not read: ${held} connections left after ${Math.round(longest / 1000)} s, ` +
    `another client waited ${Math.round(slowest)} ms at most`;
  return { id: "W8 slow", figure, pass: held === 0 && slowest < LONGEST_WAIT_MS };
}

printRows([await inRound("W8 slow", async () => await inFolder(measure))]);
