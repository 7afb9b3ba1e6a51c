// K7, L4: the reader of a run does not read, or has gone: timeouts fire all the same, and the run ends as it would.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { inRound, printRows } from "./support/rounds.mjs";
import { ak, CLI, environment, inFolder } from "./support/sandbox.mjs";
import { until } from "./support/until.mjs";

const ROUNDS = process.argv.includes("--short") ? 1 : 5;
const BYTES = process.argv.includes("--short") ? [100_000] : [100_000, 900_000];

/** A task that hangs beside one that prints a lot. @param {string} folder @param {number} bytes */
function writeWorkflow(folder, bytes) {
  const message = JSON.stringify("x".repeat(bytes));
  const tasks = [
    `{ id: hang, type: core/http.get, timeoutSeconds: 1, inputs: { url: "http://127.0.0.1:PORT/" } }`,
    `{ id: print, type: core/console.log, inputs: { message: ${message} } }`,
  ];
  const text = `apiVersion: v1\nid: w\ntasks:\n${tasks.map((task) => `  - ${task}\n`).join("")}`;
  return (/** @type {number} */ port) => writeFileSync(join(folder, "w.yaml"), text.replace("PORT", String(port)));
}

/** What reads what a run prints, and what happens meanwhile. @type {readonly { id: string, reader: string, untilItReads: (folder: string) => Promise<void> }[]} */
const READERS = [
  {
    id: "K7",
    reader: "(while ! test -e read; do sleep 0.05; done; cat)",
    async untilItReads(folder) {
      await until(() => endOfHanging(folder) !== null, "the timeout, while nobody reads");
      writeFileSync(join(folder, "read"), "");
    },
  },
  { id: "L4", reader: "head -c 1", untilItReads: async () => undefined },
];

/** What the history says of how the task ended that hangs; null before. @param {string} folder */
function endOfHanging(folder) {
  const { status, stdout } = ak(folder, ["runs", "show", "last", "--json"]);
  if (status !== 0) return null;
  const events = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  return events.find(({ task, event }) => task === "hang" && event === "task.finished")?.message ?? null;
}

/** How a run has ended: what its process did, and what the history says. @param {string} folder @param {typeof READERS[number]} of */
async function runInto(folder, { reader, untilItReads }) {
  const script = `"$0" "$1" run w.yaml --json | ${reader}; echo "exit \${PIPESTATUS[0]}"`;
  const child = spawn("bash", ["-c", script, process.execPath, CLI], {
    cwd: folder,
    env: environment(folder),
    stdio: ["ignore", "pipe", "ignore"],
  });
  let end = "";
  child.stdout.on("data", (/** @type {Buffer} */ chunk) => (end = (end + chunk.toString()).slice(-20)));
  const closed = once(child, "close");
  await untilItReads(folder);
  await closed;
  const [run] = JSON.parse(ak(folder, ["runs", "list", "--json"]).stdout);
  return `${/exit \d+$/.exec(end.trim())?.[0]}, ${run.status}, ${endOfHanging(folder)}`;
}

const server = createServer(() => undefined).listen(0, "127.0.0.1");
await once(server, "listening");
const address = server.address();
const port = typeof address === "object" && address !== null ? address.port : 0;

const rows = [];
for (const reader of READERS) {
  let wrong = 0;
  for (const bytes of BYTES) {
    for (let round = 0; round < ROUNDS; round++) {
      await inRound(`${reader.id}, ${bytes} bytes, round ${round}`, async () => {
        await inFolder(async (folder) => {
          writeWorkflow(folder, bytes)(port);
          const ended = await runInto(folder, reader);
          if (ended === "exit 1, failed, failed: timed out after 1 s") return;
          wrong += 1;
          console.log(`${reader.id}: ${ended}`);
        });
      });
    }
  }
  const figure = `into ${reader.reader}, ${ROUNDS * BYTES.length} runs with a timeout of one second: ${wrong} ended otherwise`;
  rows.push({ id: reader.id, figure, pass: wrong === 0 });
}
server.close();
printRows(rows);
