// V1-V6, V8, R11, S5: what a run takes from a provider that does something wrong, how long that takes, how often it asks, how much memory
// it needs, and whether a token or a value gets out. Without --short it prints a table of all types of providers.

import { writeFileSync } from "node:fs";
import { createServer } from "node:https";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import {
  CANARY,
  selfSigned,
  startFaultServer,
  startTestServer,
} from "../../packages/secrets-providers/dist/testing/index.js";
import { countCanary } from "./support/find-canary.mjs";
import { measure } from "./support/measured-command.mjs";
import { CANARIES, sendingWorkflow, tryProvider } from "./support/provider-run.mjs";
import { LOCAL_FAULTS, linkPeers, PROVIDER_TYPES, pathOf, REMOTE, TOKEN } from "./support/provider-types.mjs";
import { inRound, printRows } from "./support/rounds.mjs";
import { environment, inFolder } from "./support/sandbox.mjs";

/** @typedef {import("./support/provider-run.mjs").Trial} Trial */
/** @typedef {import("../../packages/secrets-providers/dist/testing/index.js").Fault} Fault */

const SHORT = process.argv.includes("--short");
/** Those that are named, as in `node test/faults/providers.mjs doppler`. */
const NAMED = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const ALL = SHORT ? ["http", "vault"] : [...Object.keys(PROVIDER_TYPES), ...Object.keys(LOCAL_FAULTS)];
const TYPES = NAMED.length > 0 ? NAMED : ALL;
/** How many trials go on at once: what hangs needs no processor. */
const AT_ONCE = 2;

/** All sources have 10 s together. What starts and ends a process takes as long as the machine is busy: only what hangs takes a minute more. */
const [MAX_ASKED_SECONDS, MAX_SECONDS] = [15, 60];
const [MAX_REQUESTS, MAX_MEGABYTES] = [6, 60];

/** What a run takes of a name that the store has too, and the row of FAULTS.md. @type {Readonly<Record<Fault, readonly [string, string]>>} */
const MODES = {
  "hang at connect": ["V1", "local"],
  "hang at headers": ["V1", "local"],
  "hang in the body": ["V1", "local"],
  "one byte a second": ["V1", "local"],
  reset: ["V1", "local"],
  403: ["V3", "none"],
  404: ["V3", "local"],
  "429 with Retry-After 3600": ["V2", "local"],
  "500 for ever": ["V2", "local"],
  "200 null": ["V4", "none"],
  "200 HTML": ["V4", "none"],
  "cut JSON": ["V4", "none"],
  "gzip bomb of 1 GB": ["V4", "none"],
  "self-signed TLS": ["V5", "none"],
  redirect: ["V6", "none"],
};

/**
 * @typedef {object} Case One trial, and what was expected of it.
 * @property {string} row
 * @property {string} type
 * @property {string} mode
 * @property {string} expected
 * @property {Trial} trial
 * @property {number} followed Requests to where a redirect points.
 */

/** Rows that failed. @type {Set<string>} */
const failed = new Set();
/** @param {string} row @param {boolean} isRight @param {string} what */
function check(row, isRight, what) {
  if (isRight) return;
  failed.add(row);
  console.log(`${row}: ${what}`);
}

/** @template Result @param {readonly (() => Promise<Result>)[]} jobs @returns {Promise<Result[]>} */
async function inTurns(jobs) {
  /** @type {Result[]} */
  const results = [];
  const queue = jobs.entries();
  const work = async () => {
    for (const [index, job] of queue) results[index] = await job();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return results;
}

/** @param {string} type @param {object} options @param {object} [more] */
function configOf(type, options, more = {}) {
  return { providers: { p: { type, path: pathOf(type), ...options } }, ...more };
}

/** @param {string} type @param {Fault | null} fault @returns {Promise<Case>} */
async function tryServer(type, fault) {
  const known = PROVIDER_TYPES[type];
  if (known === undefined) throw new Error(type);
  const { options, env, answer, isLogin = () => false } = known;
  const sound = (/** @type {Parameters<typeof answer>[0]} */ request) => answer(request) ?? { status: 404, body: {} };
  const server =
    fault === null
      ? await startTestServer(sound)
      : await startFaultServer(fault, sound, (request) => !isLogin(request));
  const [row, expected] = fault === null ? ["V1", "remote"] : MODES[fault];
  const trial = await tryProvider({
    config(folder) {
      linkPeers(folder, known);
      return configOf(type, options(server.address));
    },
    requests: () => server.requests.length,
    ...(env && { env }),
  });
  await server.close();
  const followed = server.requests.filter(({ path }) => path.startsWith("/elsewhere")).length;
  return { row, type, mode: fault ?? "works", expected, trial, followed };
}

/** @param {string} type @param {string} mode @returns {Promise<Case>} */
async function tryLocal(type, mode) {
  const fault = LOCAL_FAULTS[type]?.[mode];
  if (fault === undefined) throw new Error(mode);
  const trial = await tryProvider({ config: (folder) => configOf(type, fault.options(folder)) });
  return { row: "V1", type, mode, expected: fault.used, trial, followed: 0 };
}

const jobs = TYPES.flatMap((type) => {
  const local = LOCAL_FAULTS[type];
  const faults = [null, .../** @type {Fault[]} */ (Object.keys(MODES))];
  /** @type {[string | null, () => Promise<Case>][]} */
  const trials =
    local === undefined
      ? faults.map((fault) => [fault, () => tryServer(type, fault)])
      : Object.keys(local).map((mode) => [mode, () => tryLocal(type, mode)]);
  return trials.map(
    ([mode, trial]) =>
      async () =>
        await inRound(`${type}, ${mode ?? "works"}`, trial),
  );
});
const cases = (await inTurns(jobs)).flatMap((tried) => tried ?? []);

/** How long a trial took beyond what works: to start and to end a process takes as long as the machine is busy. @param {Case} tried */
function secondsOver({ type, trial: { run, explain } }) {
  const works = cases.find((other) => other.type === type && other.mode === "works");
  return Math.max(run.seconds, explain.seconds) - (works?.trial.run.seconds ?? 0);
}

/** @param {Case} tried */
function judge(tried) {
  const { row, type, mode, expected, trial, followed } = tried;
  const { used, run, requests, hits, askedMs, isGot } = trial;
  const what = `${type}, ${mode}`;
  const works = cases.find((other) => other.type === type && other.mode === "works");
  const more = run.megabytes - (works?.trial.run.megabytes ?? 0);
  const seconds = secondsOver(tried);
  check(row, used === expected, `${what}: used ${used}, not ${expected}: ${run.stderr.trim()}`);
  check(row, seconds <= MAX_SECONDS, `${what}: ${seconds.toFixed(1)} s more than what works`);
  check(row, askedMs <= MAX_ASKED_SECONDS * 1000, `${what}: asked for ${askedMs} ms`);
  check(row, Math.max(...requests) <= MAX_REQUESTS, `${what}: ${requests.join(" and ")} requests`);
  check(row, more < MAX_MEGABYTES, `${what}: ${more} MB more`);
  check(row, hits === 0, `${what}: ${hits} tokens or values in outputs`);
  check(row, isGot, `${what}: secrets get does not give the value of the store`);
  check(row, followed === 0, `${what}: the redirect was followed`);
  return `| ${type} | ${mode} | ${used} | ${run.seconds.toFixed(1)} | ${requests[0]} | ${run.megabytes} (${more < 0 ? more : `+${more}`}) |`;
}
console.log(
  "| provider | mode | value used | seconds | requests | peak RSS in MB (over what works) |\n|---|---|---|---|---|---|",
);
for (const tried of cases) console.log(judge(tried));

/** @param {string} row */
function figuresOf(row) {
  const tried = cases.filter((one) => one.row === row);
  const trials = tried.map(({ trial }) => trial);
  const seconds = Math.max(...trials.map(({ askedMs }) => askedMs)) / 1000;
  const requests = Math.max(...trials.flatMap((trial) => trial.requests));
  const hits = trials.reduce((sum, trial) => sum + trial.hits, 0);
  return { trials, seconds: seconds.toFixed(1), requests, hits };
}

/** What is asked of one server of type `http`. @param {string} address */
const web = (address) => PROVIDER_TYPES["http"]?.options(address) ?? {};
const soundAnswer = () => ({ body: { data: { password: REMOTE } } });

/** V3: a name that is bound to the provider. */
async function tryBound() {
  const server = await startFaultServer("404", soundAnswer);
  for (const [expected, binding] of /** @type {const} */ ([
    ["none", { provider: "p" }],
    ["local", { provider: "p", fallback: "store" }],
  ])) {
    const { used, hits } = await tryProvider({
      config: () => configOf("http", web(server.address), { secrets: { DB: binding } }),
    });
    check("V3", used === expected && hits === 0, `bound, 404: used ${used}, not ${expected}`);
  }
  await server.close();
}

/** V4: an answer of 5 MiB. */
async function tryHuge() {
  const server = await startTestServer(() => ({
    body: { data: { password: REMOTE, more: "x".repeat(5 * 1024 * 1024) } },
  }));
  const { used, run, hits } = await tryProvider({ config: () => configOf("http", web(server.address)) });
  check("V4", used === "none" && hits === 0, `an answer of 5 MiB: used ${used}, ${run.megabytes} MB`);
  await server.close();
}

/** V5: certificates that somebody else could have, and no certificate at all. */
async function tryCertificates() {
  /** @type {[string, { names?: string, days?: number, trusted: boolean }][]} */
  const certificates = [
    ["valid and trusted", { trusted: true }],
    ["self-signed", { trusted: false }],
    ["for another host", { names: "DNS:elsewhere.example", trusted: true }],
    ["expired", { days: -1, trusted: true }],
  ];
  let refused = 0;
  for (const [what, { names, days, trusted }] of certificates) {
    const { key, cert } = selfSigned(names, days);
    const seen = [];
    const server = createServer({ key, cert }, (request, response) => {
      seen.push(request.url);
      response.end(JSON.stringify(soundAnswer().body));
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
    const bound = server.address();
    const address = `https://127.0.0.1:${typeof bound === "object" ? bound?.port : ""}`;
    const { used, hits } = await tryProvider({
      config(folder) {
        const caFile = join(folder, "ca.pem");
        writeFileSync(caFile, cert);
        return configOf("http", { ...web(address), ...(trusted && { caFile }) });
      },
    });
    server.close();
    const isSound = what.startsWith("valid");
    const isRight = hits === 0 && (isSound ? used === "remote" : used === "none" && seen.length === 0);
    check("V5", isRight, `a certificate that is ${what}: used ${used}, ${seen.length} requests`);
    if (!isSound && isRight) refused += 1;
  }
  // By an address that other machines can reach.
  const own = Object.values(networkInterfaces())
    .flat()
    .find((each) => each?.family === "IPv4" && !each.internal);
  const plain = await startTestServer(soundAnswer);
  const other = new URL(plain.address);
  other.hostname = own?.address ?? "192.0.2.1";
  const { used, hits } = await tryProvider({ config: () => configOf("http", web(other.origin)) });
  check("V5", used === "none" && hits === 0 && plain.requests.length === 0, `plain http: used ${used}`);
  if (used === "none") refused += 1;
  await plain.close();
  return refused;
}

/** V8: names that would reach something else, and ids of providers that are not there. */
async function tryNames() {
  const paths = ["a/b", "a?version=1", "a#b", "a b", "a%2fb", "../../sys/seal", "a/../../b", "./a", "%2e%2e/a"];
  /** @type {Record<string, string>} */
  const prefixes = { http: "/v1/", vault: "/v1/secret/data/" };
  let asked = 0;
  for (const [type, prefix] of Object.entries(prefixes)) {
    const known = PROVIDER_TYPES[type];
    const server = await startTestServer((request) => known?.answer(request) ?? { status: 404, body: {} });
    const names = paths.map((_, index) => `N${index}`);
    const secrets = Object.fromEntries(names.map((name, index) => [name, { provider: "p", path: paths[index] }]));
    const said = await inFolder(async (folder) => {
      const config = { ...configOf(type, known?.options(server.address) ?? {}), secrets };
      writeFileSync(join(folder, "autokestra.config.yaml"), JSON.stringify(config));
      const tasks = "tasks: [{ id: say, type: core/console.log, inputs: { message: hello } }]";
      writeFileSync(join(folder, "w.yaml"), `apiVersion: v1\nid: w\nsecrets: [${names.join()}]\n${tasks}\n`);
      const env = { ...environment(folder), PROVIDER_TOKEN: TOKEN };
      return await measure(folder, ["check", "w.yaml", "--explain", "--json"], { env });
    });
    const seen = server.requests.map(({ path }) => path).filter((path) => !path.startsWith("/v1/auth/"));
    const encoded = paths.map((path) => prefix + path.split("/").map(encodeURIComponent).join("/"));
    const wrong = seen.filter((path) => !encoded.includes(path) || path.split("/").includes(".."));
    check("V8", seen.length > 0 && wrong.length === 0, `${type}: asked ${wrong.join(" ")}; ${said.stderr}`);
    check("V8", countCanary(Buffer.from(said.stdout + said.stderr), TOKEN) === 0, `${type}: the token gets out`);
    asked += seen.length;
    await server.close();
  }
  const server = await startTestServer(soundAnswer);
  for (const config of [
    configOf("http", web(server.address), { secrets: { DB: { provider: "other" } } }),
    configOf("http", web(server.address), { sources: ["other", "store"] }),
    configOf("htttp", web(server.address)),
  ]) {
    const { used, run, hits } = await tryProvider({ config: () => config });
    const isRight = used === "none" && hits === 0 && run.status !== 0 && server.requests.length === 0;
    check("V8", isRight, `an unknown provider: ${run.status}, ${run.stderr}`);
  }
  await server.close();
  return { names: paths.length, asked };
}

/** R11: three sources that have different values. */
async function tryOrder() {
  const workflow = sendingWorkflow("secrets.DB");
  const inEnvironment = "canary-variable-09af";
  let status = 200;
  const server = await startTestServer(() => ({ status, headers: { "content-type": "text/plain" }, body: REMOTE }));
  const url = `${server.address}/{name}`;
  const provider = { type: "http", url, tokenEnv: "PROVIDER_TOKEN" };
  const unbound = { providers: { p: { ...provider, path: "{name}" } } };
  const all = { p: "remote", store: "local", environment: inEnvironment };
  /** @type {[string, object, keyof typeof all, number?][]} */
  const orders = [
    ["by default", unbound, "p"],
    ["not at the provider", unbound, "store", 404],
    ["sources: environment first", { ...unbound, sources: ["environment", "store", "p"] }, "environment"],
    ["sources: store first", { ...unbound, sources: ["store", "p", "environment"] }, "store"],
    ["no path", { providers: { p: provider } }, "store"],
    ["bound to the provider", { providers: { p: provider }, secrets: { DB: { provider: "p" } } }, "p"],
    [
      "bound to a variable",
      { ...unbound, secrets: { DB: { provider: "environment", variable: "DB" } } },
      "environment",
    ],
    ["bound to the store", { ...unbound, secrets: { DB: { provider: "store" } } }, "store"],
  ];
  for (const [what, config, expected, answer = 200] of orders) {
    status = answer;
    const canaries = [...CANARIES, inEnvironment];
    const env = { DB: inEnvironment };
    const { used, source, hits } = await tryProvider({
      config: () => config,
      workflow,
      env,
      canaries,
      isObject: false,
    });
    const isRight = used === all[expected] && source === expected && hits === 0;
    check("R11", isRight, `${what}: ${used} from ${source}, not from ${expected}; ${hits} hits`);
  }
  await server.close();
  return orders.length;
}

/** S5: a proxy whose address has a password. */
async function tryProxy() {
  const password = "canary-of-the-proxy-5d";
  const headers = [];
  let hits = 0;
  for (const status of [407, 502]) {
    const { createServer: createProxy } = await import("node:http");
    const proxy = createProxy();
    proxy.on("connect", (request, socket) => {
      headers.push(request.headers["proxy-authorization"]);
      socket.end(`HTTP/1.1 ${status} ${CANARY}\r\ncontent-length: 0\r\n\r\n`);
    });
    await new Promise((resolve) => proxy.listen(0, "127.0.0.1", () => resolve(undefined)));
    const bound = proxy.address();
    const uri = `http://someone:${password}@127.0.0.1:${typeof bound === "object" ? bound?.port : ""}`;
    const trial = await tryProvider({
      config: () => configOf("http", web("https://secrets.invalid")),
      env: { HTTPS_PROXY: uri, HTTP_PROXY: uri },
      canaries: [...CANARIES, password, `someone:${password}`],
    });
    hits += trial.hits;
    check("S5", trial.hits === 0, `proxy that answers ${status}: ${trial.hits} hits`);
    proxy.closeAllConnections();
    proxy.close();
  }
  const sent = `Basic ${Buffer.from(`someone:${password}`).toString("base64")}`;
  check(
    "S5",
    headers.length > 0 && headers.every((each) => each === sent),
    `the proxy was told ${headers.length} times`,
  );
  return { hits, asked: headers.length };
}

await inRound("V3", tryBound);
await inRound("V4", tryHuge);
const refused = await inRound("V5", tryCertificates);
const named = await inRound("V8", tryNames);
const orders = await inRound("R11", tryOrder);
const proxied = await inRound("S5", tryProxy);

const bound = `${MAX_ASKED_SECONDS} s and ${MAX_REQUESTS} requests`;
/** @param {string} id @param {string} figure */
const rowOf = (id, figure) => ({ id, figure, pass: !failed.has(id) });
/** @param {string} row */
const figure = (row) => {
  const { trials, seconds, requests, hits } = figuresOf(row);
  return `${trials.length} trials with ${TYPES.length} types: asked for ${seconds} s at most, with ${requests} requests (bound: ${bound}), ${hits} tokens or values in outputs`;
};
const refusals = figuresOf("V4").trials.map(({ askedMs }) => askedMs);
const megabytes = cases.map(({ type, trial }) => {
  const works = cases.find((other) => other.type === type && other.mode === "works");
  return trial.run.megabytes - (works?.trial.run.megabytes ?? 0);
});
printRows([
  rowOf("V1", figure("V1")),
  rowOf("V2", figure("V2")),
  rowOf("V3", `${figure("V3")}; 403 stops, 404 goes on, or is missing where it is bound`),
  rowOf(
    "V4",
    `${figure("V4")}; refused after ${Math.round(Math.max(...refusals))} ms at most; in all modes at most ${Math.max(...megabytes)} MB more than what works`,
  ),
  rowOf("V5", `${refused}/4 refused: self-signed, for another host, expired, plain http`),
  rowOf("V6", `${cases.reduce((sum, { followed }) => sum + followed, 0)} redirects followed by ${TYPES.length} types`),
  rowOf(
    "V8",
    `${named?.names} names in 2 types: ${named?.asked} requests, all encoded; unknown ids and types are refused`,
  ),
  rowOf(
    "R11",
    `${orders} orders of provider, store and environment: the value is that of the documented one, and the run records it`,
  ),
  rowOf("S5", `a proxy with a password was asked ${proxied?.asked} times; ${proxied?.hits} hits in outputs`),
]);
