import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openSecretsManager } from "../../../packages/secrets/dist/index.js";
import { CANARY, startTestServer } from "../../../packages/secrets-providers/dist/testing/index.js";
import { countCanary } from "./find-canary.mjs";
import { keyed, placeOf } from "./installation.mjs";
import { measure } from "./measured-command.mjs";
import { REMOTE, TOKEN } from "./provider-types.mjs";
import { everythingIn, inFolder } from "./sandbox.mjs";

/** What the store has under the name that the provider is asked for. */
const LOCAL = "canary-local-77d0";
export const CANARIES = [TOKEN, REMOTE, LOCAL, CANARY];

/** Sends one value to the sink. @param {string} reference */
export const sendingWorkflow = (reference) => `apiVersion: v1
id: w
secrets: [DB]
inputs: { sink: { type: string } }
tasks:
  - id: send
    type: core/http.request
    inputs: { method: POST, url: "{{ inputs.sink }}", body: { value: "{{ ${reference} }}" } }
`;

const WORKFLOW = `${sendingWorkflow("secrets.DB.password")}  - { id: say, type: core/console.log, needs: [send], inputs: { message: "it is {{ secrets.DB }}" } }
`;

/**
 * @typedef {object} Trial
 * @property {string} used `remote`, `local`, another value that the run has sent, or `none`.
 * @property {string | undefined} source Where that comes from, as the run history says.
 * @property {import("./measured-command.mjs").Measured} run
 * @property {import("./measured-command.mjs").Measured} explain
 * @property {boolean} isGot Whether `secrets get` gives the value of the store, without a request.
 * @property {number} askedMs How long the first source took, as `explain` says.
 * @property {readonly [run: number, explain: number]} requests
 * @property {number} hits Canaries in all that was printed and recorded.
 */

/**
 * Runs a workflow whose secret a provider has, and the store too.
 *
 * @param {object} options
 * @param {(folder: string) => object} options.config
 * @param {Readonly<Record<string, string>>} [options.env]
 * @param {() => number} [options.requests] How many the server has seen.
 * @param {string} [options.workflow]
 * @param {boolean} [options.isObject] Whether the store has an object, as the providers do, or a text.
 * @param {readonly string[]} [options.canaries]
 * @returns {Promise<Trial>}
 */
export async function tryProvider({
  config,
  env = {},
  requests = () => 0,
  workflow = WORKFLOW,
  isObject = true,
  canaries = CANARIES,
}) {
  const sink = await startTestServer(() => ({ body: {} }));
  try {
    return await inFolder(async (folder) => {
      const options = { env: { ...keyed(folder), PROVIDER_TOKEN: TOKEN, ...env } };
      writeFileSync(join(folder, "w.yaml"), workflow);
      await storeLocally(folder, isObject);
      // JSON is YAML.
      writeFileSync(join(folder, "autokestra.config.yaml"), JSON.stringify(config(folder)));
      const before = requests();
      const run = await measure(folder, ["run", "w.yaml", "--input", `sink=${sink.address}`], options);
      const between = requests();
      const explain = await measure(folder, ["secrets", "explain", "DB", "--json"], options);
      const after = requests();
      // It is the store that is asked here, and nothing else.
      const get = await measure(folder, ["secrets", "get", "DB", "--json"], options);
      const isGot = get.stdout.includes(LOCAL) && !get.stdout.includes(REMOTE) && requests() === after;
      const shown = run.stdout === "" ? [] : await showRun(folder, options);
      const said = [run, explain, ...shown].map(({ stdout, stderr }) => stdout + stderr);
      const kept = everythingIn(folder).filter((path) => path.includes("runs.db"));
      const all = [...said.map((text) => Buffer.from(text, "latin1")), ...kept.map((path) => readFileSync(path))];
      return {
        used: usedValue(sink.requests[0]?.body),
        source: /"DB":\{"source":"(\w+)"/.exec(shown[0]?.stdout ?? "")?.[1],
        run,
        explain,
        isGot,
        askedMs: explain.stdout === "" ? 0 : JSON.parse(explain.stdout).asked[0].milliseconds,
        requests: [between - before, after - between],
        hits: all.reduce((sum, bytes) => canaries.reduce((count, text) => count + countCanary(bytes, text), sum), 0),
      };
    });
  } finally {
    await sink.close();
  }
}

/** What the history says of the only run. @param {string} folder @param {{ env: Readonly<Record<string, string>> }} options */
async function showRun(folder, options) {
  const list = await measure(folder, ["runs", "list", "--json"], options);
  const [{ execution }] = JSON.parse(list.stdout);
  return [await measure(folder, ["runs", "show", execution, "--json"], options), list];
}

/** @param {string} folder @param {boolean} isObject */
async function storeLocally(folder, isObject) {
  const { secrets } = await openSecretsManager({ storagePath: placeOf(folder), env: keyed(folder) });
  if (isObject) await secrets.set({ name: "DB", type: "custom", fields: { password: LOCAL } });
  else await secrets.set({ name: "DB", type: "apiKey", fields: { value: LOCAL } });
  await secrets.close();
}

/** @param {string | undefined} body What the sink was sent. */
function usedValue(body) {
  if (body === undefined) return "none";
  const { value } = JSON.parse(body);
  return { [REMOTE]: "remote", [LOCAL]: "local" }[value] ?? String(value);
}
