// The HTTP API against its own description: schemathesis makes requests of it, right ones and wrong ones, and checks every answer. It names no
// type that it wants: live streams of events, whose end it would wait for, are not among them.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { openEngine } from "../../packages/engine/dist/index.js";
import { openSecretsManager, openTokens } from "../../packages/secrets/dist/index.js";
import { startServer } from "../../packages/server/dist/index.js";
import { createRunService, openWorkflowFolder, serveRuns } from "../../packages/server/dist/runs.js";
import { programs } from "../../scripts/servers/installation.mjs";
import { keyed, placeOf } from "./support/installation.mjs";
import { inRound, printRows } from "./support/rounds.mjs";
import { inFolder } from "./support/sandbox.mjs";

const IS_SHORT = process.argv.includes("--short");
/** For each group of routes, shared by its calls: of those that take nothing, there is less to draw. */
const EXAMPLES = IS_SHORT ? 100 : 4000;
const NAME = "KEPT";
const HOOK_KEY = "key of the webhook";

const SAY = '{ id: say, type: core/console.log, inputs: { message: "hi" } }';
const INPUTS = `
  text: { type: string, default: a, pattern: "^[a-z]*$", max: 20 }
  choice: { type: string, enum: [one, two], default: one }
  amount: { type: number, default: 1, min: 0, max: 10 }
  flag: { type: boolean, default: false }
  tree: { type: json, default: { a: [1, null] } }
  password: { type: string, secret: true }`;
/** What runs start from; they take milliseconds. */
const WORKFLOWS = {
  inputs: `apiVersion: v1\nid: inputs\ninputs:${INPUTS}\ntasks: [${SAY}]\n`,
  uses: `{ apiVersion: v1, id: uses, secrets: [${NAME}], tasks: [{ id: say, type: core/console.log, inputs: { message: "{{ secrets.${NAME} }}" } }] }`,
  fails: '{ apiVersion: v1, id: fails, tasks: [{ id: a, type: core/shell.run, inputs: { command: "false" } }] }',
  hook: `{ apiVersion: v1, id: hook, secrets: [HOOK], trigger: { type: webhook, secret: HOOK, signature: hmac-sha256 }, tasks: [${SAY}] }`,
  later: `{ apiVersion: v1, id: later, trigger: { type: cron, cron: "0 0 29 2 *" }, tasks: [${SAY}] }`,
  disabled: `{ apiVersion: v1, id: disabled, enabled: false, tasks: [${SAY}] }`,
};

/** @param {string} folder */
async function measure(folder) {
  const manager = await openSecretsManager({ env: keyed(folder), storagePath: placeOf(folder), audit: true });
  const { id } = await manager.secrets.create({ name: NAME, type: "apiKey", fields: { value: "v" } });
  const changed = await manager.secrets.create({ name: "CHANGED", type: "apiKey", fields: { value: "v" } });
  const tokens = await openTokens(manager);
  const { token } = await tokens.create({ name: "all", role: "admin", prefixes: null, tags: null, expiresAt: null });
  const served = await openRuns(folder, manager);
  let requests = 0;
  const server = await startServer({
    port: 0,
    secretsFor: (context) => manager.as(context),
    tokens,
    audit: manager.audit,
    runs: serveRuns(served),
    requestsPerMinute: 10_000_000,
    refusedPerMinute: 10_000_000,
    log: {
      write(line) {
        if (JSON.parse(line).level === "error") console.log(line);
        else requests++;
      },
    },
  });
  const description = `${server.address}/openapi.json`;
  const run = async (/** @type {keyof typeof WORKFLOWS} */ workflow) => await endedRun(served, workflow);
  const env = {
    ...process.env,
    SCHEMATHESIS_HOOKS: resolve("test/faults/support/schemathesis_hooks.py"),
    PYTHONDONTWRITEBYTECODE: "1",
    SECRET_ID: id,
    SECRET_NAME: NAME,
    CHANGED_ID: changed.id,
    RUN_ID: await run("uses"),
    FAILED_RUN_ID: await run("fails"),
    WORKFLOW_IDS: Object.keys(WORKFLOWS).join(" "),
    HOOK_KEY,
  };
  const rows = [];
  for (const [tag, { calls, phases }] of await groupsOf(description)) {
    const most = Math.ceil(EXAMPLES / calls);
    const before = requests;
    const { code, printed } = await runSchemathesis(description, { tag, most, phases, token, cwd: folder, env });
    if (code !== 0) console.log(printed);
    const problems = Number(/(\d+) failures?/.exec(printed)?.[1] ?? (code === 0 ? 0 : Number.NaN));
    const generated = /(\d+) generated/.exec(printed)?.[1] ?? "no";
    const figure = `${tag}: ${generated} cases of schemathesis for ${calls} calls, up to ${most} each, ${requests - before} requests: ${problems} answers against the description`;
    rows.push({ id: "OpenAPI", figure, pass: code === 0 && requests - before > calls });
  }
  await server.close();
  await served.runs.close(0);
  served.workflows.close();
  await served.engine.close();
  tokens.close();
  await manager.secrets.close();
  return rows;
}

/** @param {string} folder @param {Awaited<ReturnType<typeof openSecretsManager>>} manager */
async function openRuns(folder, manager) {
  const place = join(folder, "workflows");
  mkdirSync(place);
  for (const [name, text] of Object.entries(WORKFLOWS)) writeFileSync(join(place, `${name}.yaml`), text);
  const runsPath = join(folder, "runs.db");
  // Calls change and delete what is in the store.
  const engine = await openEngine({ manager, env: { HOOK: HOOK_KEY }, environment: true, runsPath });
  const runs = createRunService({ engine, onNotice: () => undefined });
  const workflows = await openWorkflowFolder({ folder: place, onProblem: console.log, onChange: () => undefined });
  await runs.schedule(workflows);
  return { engine, runs, workflows };
}

/**
 * Starts a run, and waits for its end.
 *
 * @param {Awaited<ReturnType<typeof openRuns>>} served @param {string} id @returns {Promise<string>}
 */
async function endedRun({ runs, workflows }, id) {
  const workflow = workflows.get(id);
  if (workflow === null) throw new Error(`workflow ${id} cannot be read`);
  const run = await runs.start({ workflow, inputs: {}, actor: { kind: "system", id: null, address: null } });
  while (runs.active(run.id) !== null) await setTimeout(10);
  return run.id;
}

/**
 * The groups of routes: how many calls each has, and what there is to do. Calls are made one after another where one takes what another
 * gives.
 *
 * @param {string} description
 */
async function groupsOf(description) {
  const { paths } = await (await fetch(description)).json();
  const all = Object.values(paths).flatMap((path) => Object.values(path));
  /** @type {Set<string>} */
  const tags = new Set(all.map((call) => call.tags[0]));
  return [...tags].map((tag) => {
    const calls = all.filter((call) => call.tags[0] === tag);
    const hasLinks = calls.some(({ responses }) => Object.values(responses).some(({ links }) => links !== undefined));
    const phases = ["examples", "coverage", "fuzzing", ...(hasLinks ? ["stateful"] : [])];
    return /** @type {const} */ ([tag, { calls: calls.length, phases: phases.join(",") }]);
  });
}

/**
 * @param {string} description
 * @param {{ tag: string, most: number, phases: string, token: string, cwd: string, env: NodeJS.ProcessEnv }} options
 */
async function runSchemathesis(description, { tag, most, phases, token, cwd, env }) {
  const config = [
    "--config-file",
    resolve("schemathesis.toml"),
    "run",
    description,
    "--include-tag",
    tag,
    "--phases",
    phases,
  ];
  const options = ["--max-examples", String(most), "--header", `Authorization: Bearer ${token}`, "--no-color"];
  const child = spawn(programs.schemathesis, [...config, ...options], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  let printed = "";
  for (const output of [child.stdout, child.stderr]) output.on("data", (data) => (printed += data));
  const code = await new Promise((done) => child.on("close", done));
  return { code, printed };
}

const missing = { id: "OpenAPI", figure: "the HTTP API against its description", missing: "schemathesis" };
printRows([
  existsSync(programs.schemathesis) ? await inRound("OpenAPI", async () => await inFolder(measure)) : missing,
]);
