// Live events of long runs, from the built command: clients that are cut off anywhere, and come back with the id of the last event that they
// have, get each event once. What the server has of them afterwards does not grow.
import { mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { createRandom, SEED } from "./support/random.mjs";
import { inRound, printRows } from "./support/rounds.mjs";
import { inFolder } from "./support/sandbox.mjs";
import { ask, makeToken, memoryMiB, startServer } from "./support/served.mjs";

const IS_SHORT = process.argv.includes("--short");
const STREAMS = IS_SHORT ? 40 : 200;
const LINES = IS_SHORT ? 2000 : 10_000;
/** Memory is compared after the first of these, and is not given back at once. */
const ROUNDS = IS_SHORT ? 2 : 4;
/** What a round may leave: less than one line of its events for each client. */
const GROWTH_MIB = 40;
/** Only what is never given back is still there after this. */
const PATIENCE_MS = 100_000;
const random = createRandom(SEED);

/**
 * Follows a run from a position on, and disconnects after a number of bytes.
 *
 * @param {string} address @param {string} token @param {string} run @param {number} last @param {number} bytes
 */
async function follow(address, token, run, last, bytes) {
  const { hostname, port } = new URL(address);
  const socket = connect(Number(port), hostname);
  const head = [
    `GET /api/runs/${run}/events HTTP/1.1`,
    `Host: ${hostname}`,
    `Authorization: Bearer ${token}`,
    "Accept: text/event-stream",
    "Connection: close",
    ...(last < 0 ? [] : [`Last-Event-ID: ${last}`]),
  ];
  socket.write(`${head.join("\r\n")}\r\n\r\n`);
  let text = "";
  try {
    for await (const data of socket) {
      text += String(data);
      if (text.length > bytes) break;
    }
  } catch {
    // Cut off from the other side, which is what this is about.
  }
  socket.destroy();
  const whole = text.replaceAll(/\r\n[0-9a-f]+\r\n/g, "");
  const events = [...whole.matchAll(/id: (\d+)\ndata: (\{[^\n]*\})\n\n/g)];
  return { events: events.map(([, id, data]) => ({ id: Number(id), data })), isEnd: whole.includes("event: end") };
}

/**
 * @param {string} address @param {string} token @param {string} run
 * @param {string[]} seen What the first client that has an event got, by id: to keep them for each client takes gigabytes.
 */
async function collect(address, token, run, seen) {
  let count = 0;
  const wrong = { lost: 0, twice: 0, other: 0, cuts: 0 };
  for (let isEnd = false; !isEnd; wrong.cuts++) {
    const part = await follow(address, token, run, count - 1, 2000 + random() * 400_000);
    for (const { id, data } of part.events) {
      if (id < count) wrong.twice++;
      else wrong.lost += id - count;
      seen[id] ??= data;
      if (seen[id] !== data) wrong.other++;
      count = Math.max(count, id + 1);
    }
    isEnd = part.isEnd;
    await setTimeout(random() * 20);
  }
  return { count, ...wrong };
}

/** @param {string} folder */
async function measure(folder) {
  const token = await makeToken(folder);
  const workflows = join(folder, "workflows");
  mkdirSync(workflows);
  const command = `{ command: sh, args: ["-c", "i=0; while [ $i -lt ${LINES} ]; do echo line $i of a run; i=$((i+1)); done"] }`;
  const task = `{ id: say, type: core/shell.run, inputs: ${command} }`;
  writeFileSync(join(workflows, "long.yaml"), `{ apiVersion: v1, id: long, tasks: [${task}] }`);
  writeFileSync(join(folder, "autokestra.config.yaml"), "server: { requestsPerMinute: 1000000 }\n");
  const { child, ended, address } = await startServer(folder, ["--workflows", workflows]);
  const total = { events: 0, lost: 0, twice: 0, other: 0, cuts: 0 };
  const memory = [];
  for (let round = 0; round < ROUNDS; round++) {
    const { execution } = (await ask(address, token, "/api/runs", { body: { workflow: "long" } })).body;
    /** @type {string[]} */
    const seen = [];
    const clients = Array.from({ length: STREAMS }, async () => await collect(address, token, execution, seen));
    const found = await Promise.all(clients);
    const stored = (await ask(address, token, `/api/runs/${execution}/events`)).body;
    const right = stored.map((/** @type {object} */ event) => JSON.stringify(event));
    for (const { count, lost, twice, other, cuts } of found) {
      total.events += count;
      total.lost += lost + Math.max(0, right.length - count);
      total.twice += twice;
      total.cuts += cuts;
      total.other += other;
    }
    total.other += seen.filter((data, at) => data !== right[at]).length;
    await setTimeout(1000);
    memory.push(memoryMiB(child.pid));
  }
  const grown = () => memoryMiB(child.pid) - (memory[0] ?? 0);
  for (const end = performance.now() + PATIENCE_MS; grown() >= GROWTH_MIB && performance.now() < end; ) {
    await ask(address, token, "/api/runs");
    await setTimeout(500);
  }
  const left = grown();
  child.kill("SIGTERM");
  const code = await ended;
  const { events, lost, twice, other, cuts } = total;
  const streams = `${STREAMS} live streams of ${ROUNDS} runs with ${LINES} lines, cut off ${cuts} times (seed ${SEED})`;
  const figure = `${streams}: ${events} events, ${lost} lost, ${twice} twice, ${other} others than recorded; memory after each run ${memory.join(", ")} MiB, ${left} more than after the first in the end`;
  const isWhole = lost + twice + other === 0 && events >= STREAMS * ROUNDS * LINES;
  return { id: "SSE", figure, pass: isWhole && code === 0 && left < GROWTH_MIB };
}

printRows([await inRound("SSE", async () => await inFolder(measure))]);
