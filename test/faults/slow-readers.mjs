// K7, L4: the reader of a run is slow, its terminal is stopped, or it has gone: timeouts fire in time, and the run ends as it would.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ak, CLI, environment, inFolder } from "./support/sandbox.mjs";

const TIMEOUT_MS = 1000;
/** Beyond the timeout: starting a process takes its time on a busy machine. */
const TOLERANCE_MS = 500;
const ROUNDS = process.argv.includes("--short") ? 1 : 5;
const BYTES = process.argv.includes("--short") ? [100_000] : [100_000, 900_000];

/** A task that hangs beside one that prints a lot. @param {string} folder @param {number} bytes */
function writeWorkflow(folder, bytes) {
  const message = JSON.stringify("x".repeat(bytes));
  const tasks = [
    `{ id: hang, type: core/http.get, timeoutSeconds: ${TIMEOUT_MS / 1000}, inputs: { url: "http://127.0.0.1:PORT/" } }`,
    `{ id: print, type: core/console.log, inputs: { message: ${message} } }`,
  ];
  const text = `apiVersion: v1\nid: w\ntasks:\n${tasks.map((task) => `  - ${task}\n`).join("")}`;
  return (/** @type {number} */ port) => writeFileSync(join(folder, "w.yaml"), text.replace("PORT", String(port)));
}

/** @param {string} folder @param {string} reader @returns {Promise<string>} */
async function runInto(folder, reader) {
  const script = `"$0" "$1" run w.yaml --json | ${reader}; echo "exit \${PIPESTATUS[0]}"`;
  const child = spawn("bash", ["-c", script, process.execPath, CLI], {
    cwd: folder,
    env: environment(folder),
    stdio: ["ignore", "pipe", "ignore"],
  });
  let end = "";
  child.stdout.on("data", (/** @type {Buffer} */ chunk) => (end = (end + chunk.toString()).slice(-20)));
  await once(child, "close");
  return end;
}

/** How long the task that hangs took, as the run history says. @param {string} folder */
function hangingMs(folder) {
  const [run] = JSON.parse(ak(folder, ["runs", "list", "--json"]).stdout);
  const events = ak(folder, ["runs", "show", run.execution, "--json"]).stdout.trimEnd().split("\n");
  const times = events
    .map((line) => JSON.parse(line))
    .filter(({ task, event }) => task === "hang" && event !== "task.log")
    .map(({ time }) => Date.parse(time));
  return { ms: Math.max(...times) - Math.min(...times), status: run.status };
}

/** @param {string} reader @param {number} port */
async function measure(reader, port) {
  let slowest = 0;
  let wrong = 0;
  for (const bytes of BYTES) {
    for (let round = 0; round < ROUNDS; round++) {
      await inFolder(async (folder) => {
        writeWorkflow(folder, bytes)(port);
        const end = await runInto(folder, reader);
        const { ms, status } = hangingMs(folder);
        slowest = Math.max(slowest, ms);
        if (!end.endsWith("exit 1\n") || status !== "failed") wrong += 1;
      });
    }
  }
  return { slowest, wrong };
}

const { createServer } = await import("node:net");
const server = createServer(() => undefined).listen(0, "127.0.0.1");
await once(server, "listening");
const address = server.address();
const port = typeof address === "object" && address !== null ? address.port : 0;

const READERS = { "(sleep 4; cat)": "K7", "head -c 1": "L4" };
const rows = [];
for (const [reader, id] of Object.entries(READERS)) {
  const { slowest, wrong } = await measure(reader, port);
  const figure = `into ${reader}, ${ROUNDS * BYTES.length} runs: a timeout of ${TIMEOUT_MS} ms fired after ${slowest} ms at most, ${wrong} ended otherwise`;
  rows.push({ id, figure, pass: wrong === 0 && slowest < TIMEOUT_MS + TOLERANCE_MS });
}
server.close();
console.log(JSON.stringify(rows));
