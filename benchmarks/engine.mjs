// Measures runs of 1 000 tasks that are kept in the ledger: against calling the same action, and the ledger alone against
// the same statements by hand; and how the time of a run grows with its tasks. Run `pnpm build` first. README.md explains the figures.

import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { openEngine, parseWorkflow } from "../packages/engine/dist/index.js";
import { defineAction, definePlugin, z } from "../packages/plugin-sdk/dist/index.js";
import { openRunHistory } from "../packages/runs/dist/index.js";
import { openRawLedger } from "./engine/raw-ledger.mjs";
import { measure } from "./measure.mjs";
import { printTable } from "./print-table.mjs";

const TASKS = 1000;
/** How many run at once: each task needs the one of the same number in the layer before. */
const WIDTH = 50;
/** How many run at once unless a run is told otherwise. */
const DEFAULT_WIDTH = 10;
const CPU_GOAL_MS = 0.35;
const RATIO_GOAL = 0.7;
/** time(2n) / time(n) */
const GROWTH_GOAL = 2.3;
const GROWTH_TASKS = 2000;
/** The numbers of tasks of runs that learn a secret from each of them. */
const LEARNING_TASKS = [500, 1000, 2000];
/** Values that become secret during a run, by the number of the task. @type {Record<string, (at: number) => string>} */
const LEARNT = {
  "the same value": () => "the-same-value-of-all-7Q9z",
  "distinct values": (at) => `value-${at * 7919}-of-${at * 104_729}-Zx`,
  "values with a part in common": (at) => `postgres://app:the-Same-7Q9z@db${at}.example.com/orders${at}`,
};
const OPTIONS = { rounds: 15, operations: 1, warmUp: 5 };

const needsOf = (/** @type {number} */ at) => (at < WIDTH ? [] : [`t${at - WIDTH}`]);
const numbers = Array.from({ length: TASKS }, (_, at) => at);

const folder = mkdtempSync(join(tmpdir(), "autokestra-bench-"));
try {
  console.log(`This machine: ${cpus().length} cores, Node ${process.versions.node}`);
  const bench = await openBench();
  const met = [
    await measureEngine(bench),
    await measureLedger(),
    await measureGrowth(bench),
    await measureLearning(bench),
  ];
  await bench.engine.close();
  process.exitCode = met.every(Boolean) ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true });
}

async function openBench() {
  const action = defineAction({
    input: z.strictObject({ n: z.number(), secret: z.string().optional() }),
    run: ({ n, secret }) => ({ n, secret, text: "x".repeat(200) }),
  });
  const engine = await openEngine({
    storagePath: join(folder, "secrets"),
    runsPath: join(folder, "engine.db"),
    keyFolder: null,
    keepInEnvironment: true,
    env: { AUTOKESTRA_SECRET_KEY: "0123456789abcdef".repeat(4) },
    create: true,
    plugins: [definePlugin({ name: "bench/work", actions: { do: action } })],
  });
  await engine.secrets.set({ name: "S", type: "apiKey", fields: { value: "value-of-a-secret" } });

  /** @param {readonly string[]} tasks each as YAML @param {number} concurrency */
  function runOf(tasks, concurrency) {
    const list = tasks.map((task) => `  - ${task}\n`).join("");
    const workflow = parseWorkflow(`apiVersion: v1\nid: bench\nsecrets: [S]\ntasks:\n${list}`, "bench.yaml");
    return async () => {
      const { status } = await engine.run(workflow, { concurrency });
      if (status !== "success") throw new Error("the run has failed");
    };
  }
  return { engine, action, runOf };
}

/** @param {number} at @param {readonly string[]} needs */
function taskOf(at, needs) {
  return `{ id: t${at}, type: bench/work.do, needs: [${needs.join(", ")}], inputs: { n: ${at} } }`;
}

/** @param {Awaited<ReturnType<typeof openBench>>} bench */
async function measureEngine({ action, runOf }) {
  const tasks = numbers.map((at) => taskOf(at, needsOf(at)));
  const ways = {
    async plain() {
      for (const n of numbers) await action.run({ n }, /** @type {never} */ (null));
    },
    wide: runOf(tasks, WIDTH),
    usual: runOf(tasks, DEFAULT_WIDTH),
  };
  const cpu = await measure(ways, OPTIONS);
  const elapsed = await measure(ways, { ...OPTIONS, clock: "wall" });
  const { plain = 0 } = cpu;
  const rows = [["", "plain call", "in a run", "more", "goal", "", "tasks/s"]];
  let isMet = true;
  for (const [name, width] of /** @type {const} */ ([
    ["wide", WIDTH],
    ["usual", DEFAULT_WIDTH],
  ])) {
    const ours = cpu[name] ?? 0;
    const overhead = (ours - plain) / TASKS / 1000;
    isMet &&= overhead <= CPU_GOAL_MS;
    rows.push([
      `${width} at once`,
      (plain / TASKS / 1000).toFixed(4),
      (ours / TASKS / 1000).toFixed(3),
      overhead.toFixed(3),
      `<= ${CPU_GOAL_MS}`,
      overhead <= CPU_GOAL_MS ? "met" : "missed",
      ((TASKS / (elapsed[name] ?? 0)) * 1e6).toFixed(0),
    ]);
  }
  printTable(`A run of ${TASKS} tasks that is kept in the ledger: ms CPU of a task, and tasks a second`, rows);
  return isMet;
}

/** @param {Awaited<ReturnType<typeof openBench>>} bench */
async function measureGrowth({ runOf }) {
  /** @type {Record<string, (count: number) => string[]>} */
  const shapes = {
    [`each needs one of the ${WIDTH} before`]: (count) =>
      Array.from({ length: count }, (_, at) => taskOf(at, needsOf(at))),
    "one needs all others": (count) => {
      const others = Array.from({ length: count - 1 }, (_, at) => at);
      const needs = others.map((at) => `t${at}`);
      return [...others.map((at) => taskOf(at, [])), taskOf(count - 1, needs)];
    },
    [`items of one forEach, ${WIDTH} at once`]: (count) => {
      const items = Array.from({ length: count }, (_, at) => at).join(", ");
      return [
        `{ id: t, type: bench/work.do, forEach: [${items}], concurrency: ${WIDTH}, inputs: { n: "{{ item }}" } }`,
      ];
    },
  };
  const rows = [["tasks", "n", "ms(n)", "ms(2n)", "ratio", "goal", ""]];
  let isMet = true;
  for (const [name, tasksOf] of Object.entries(shapes)) {
    const ways = { once: runOf(tasksOf(GROWTH_TASKS), WIDTH), twice: runOf(tasksOf(2 * GROWTH_TASKS), WIDTH) };
    const { once = 0, twice = 0 } = await measure(ways, { rounds: 3, operations: 1, warmUp: 1 });
    const ratio = twice / once;
    isMet &&= ratio < GROWTH_GOAL;
    const show = (/** @type {number} */ time) => (time / 1000).toFixed(0);
    const verdict = ratio < GROWTH_GOAL ? "met" : "missed";
    rows.push([name, `${GROWTH_TASKS}`, show(once), show(twice), ratio.toFixed(2), `< ${GROWTH_GOAL}`, verdict]);
  }
  printTable("Running n tasks, and twice as many: ms CPU", rows);
  return isMet;
}

/** @param {Awaited<ReturnType<typeof openBench>>} bench */
async function measureLearning({ runOf }) {
  const rows = [["secretOutputs of each task", "n", "ms(n)", "ms(2n)", "ratio", "goal", ""]];
  let isMet = true;
  for (const [name, secretOf] of Object.entries(LEARNT)) {
    const tasksOf = (/** @type {number} */ count) =>
      Array.from({ length: count }, (_, at) => {
        const inputs = `{ n: ${at}, secret: ${JSON.stringify(secretOf(at))} }`;
        return `{ id: t${at}, type: bench/work.do, secretOutputs: [secret], inputs: ${inputs} }`;
      });
    const ways = Object.fromEntries(LEARNING_TASKS.map((count) => [count, runOf(tasksOf(count), WIDTH)]));
    const times = await measure(ways, { rounds: 5, operations: 1, warmUp: 2 });
    for (const [index, count] of LEARNING_TASKS.slice(0, -1).entries()) {
      const [once, twice] = [times[count], times[LEARNING_TASKS[index + 1] ?? 0]];
      const ratio = twice / once;
      isMet &&= ratio <= GROWTH_GOAL;
      const show = (/** @type {number} */ time) => (time / 1000).toFixed(0);
      const verdict = ratio <= GROWTH_GOAL ? "met" : "missed";
      rows.push([name, `${count}`, show(once), show(twice), ratio.toFixed(2), `<= ${GROWTH_GOAL}`, verdict]);
    }
  }
  printTable("Values that become secret in n tasks, and in twice as many: ms CPU", rows);
  return isMet;
}

async function measureLedger() {
  const tasks = numbers.map((at) => ({
    id: `t${at}`,
    needs: needsOf(at),
    continueOnError: false,
    statusesInIf: new Set(),
    maxAttempts: 3,
    isRepeatable: true,
  }));
  const bytes = new Uint8Array(300).fill(7);
  const history = await openRunHistory({ path: join(folder, "ours.db") });
  const { ledger } = history;
  const ofHand = await openRunHistory({ path: join(folder, "raw.db") });
  await ofHand.ledger.createRun(newRun([]));
  await ofHand.close();
  const raw = openRawLedger(join(folder, "raw.db"));

  /** @param {readonly typeof tasks[number][]} of */
  function newRun(of) {
    const id = crypto.randomUUID();
    const owner = { token: crypto.randomUUID() };
    return {
      id,
      workflow: "bench",
      file: null,
      secrets: [],
      tasks: of,
      owner,
      kept: { values: [], milliseconds: 86_400_000 },
    };
  }

  const ways = {
    raw: () => raw.run(crypto.randomUUID(), tasks, bytes),
    async ours() {
      const run = newRun(tasks);
      let ready = await ledger.createRun(run);
      while (ready.length > 0) {
        const ended = ready.map(async (id) => {
          const lease = await ledger.claim(id, run.owner.token, Number.POSITIVE_INFINITY);
          if (lease === null) throw new Error("not ready");
          const kept = { kind: /** @type {const} */ ("result"), task: lease.task, attempt: 1, keyId: "key", bytes };
          return await ledger.finish(lease, { status: "success" }, kept);
        });
        ready = (await Promise.all(ended)).flatMap((ids) => ids ?? []);
      }
      const time = new Date().toISOString();
      const head = {
        time,
        level: /** @type {const} */ ("info"),
        execution: run.id,
        durationMs: 1,
        tasks: {},
        masked: {},
      };
      await ledger.append(run.id, [{ ...head, event: "run.finished", status: "success" }]);
    },
  };
  const rows = [["", "by hand", "ledger", "by hand/ledger", "goal", ""]];
  let isMet = true;
  for (const [clock, title] of /** @type {const} */ ([
    ["wall", "tasks/s"],
    ["cpu", "µs CPU of a task"],
  ])) {
    const { raw: byHand = 0, ours = 0 } = await measure(ways, { ...OPTIONS, clock });
    const ratio = byHand / ours;
    const show = (/** @type {number} */ time) => (clock === "wall" ? (TASKS / time) * 1e6 : time / TASKS).toFixed(0);
    const verdict = clock === "wall" ? [`>= ${RATIO_GOAL}`, ratio >= RATIO_GOAL ? "met" : "missed"] : ["", ""];
    if (clock === "wall") isMet = ratio >= RATIO_GOAL;
    rows.push([title, show(byHand), show(ours), ratio.toFixed(2), ...verdict]);
  }
  printTable("The ledger alone: claim, end and keep, against the same statements by hand", rows);
  await history.close();
  raw.database.close();
  return isMet;
}
