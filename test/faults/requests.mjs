// S1: a request to a metadata service, a link-local address or, under `deny`, this machine or a private network reaches
// nobody: in all spellings of an address, by a name that flips to one, and after a redirect. The addresses are those of a
// network namespace, where a server counts what reaches it; a control shows that it would.

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { runAction } from "../../packages/plugin-sdk/dist/testing/index.js";
import { createHttpPlugin } from "../../packages/plugins-core/dist/index.js";
import { inRound, printRows } from "./support/rounds.mjs";
import { CLI, environment, inFolder, NODE } from "./support/sandbox.mjs";

const INSIDE = "--inside";
const UNSHARE = ["--net", "--mount", "--propagation", "private"];

const METADATA =
  "169.254.169.254 2852039166 0xa9fea9fe 0251.0376.0251.0376 025177524776 169.254.43518 169.16689662".split(" ");
const IN_IPV6 = "::ffff:169.254.169.254 ::ffff:a9fe:a9fe 0:0:0:0:0:ffff:a9fe:a9fe fd00:ec2::254 fe80::254".split(" ");
const NEVER = [
  ...METADATA,
  ...IN_IPV6.map((address) => `[${address}]`),
  "flip.test",
  "metadata.test",
  "metadata.google.internal",
];
const PRIVATE = [
  "127.0.0.1",
  "127.1",
  "2130706433",
  "0",
  "[::1]",
  "[::ffff:127.0.0.1]",
  "[::ffff:10.0.0.1]",
  "10.0.0.1",
  "167772161",
  "inner.test",
  "localhost",
];

/** What the name server answers, one after the other; the last answer stays. @type {Record<string, string[]>} */
const NAMES = {
  "flip.test": ["10.0.0.1", "169.254.169.254"],
  "metadata.test": ["169.254.169.254"],
  "metadata.google.internal": ["169.254.169.254"],
  "inner.test": ["10.0.0.1"],
};

/** A name server for addresses of IPv4. @param {Buffer} query */
function answer(query) {
  const labels = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += length + 1;
  }
  const question = query.subarray(12, at + 5);
  const known = NAMES[labels.join(".").toLowerCase()] ?? [];
  const isAddress = query.readUInt16BE(at + 1) === 1;
  const address = isAddress ? (known.length > 1 ? known.shift() : known[0]) : undefined;
  const head = Buffer.from(query.subarray(0, 12));
  head.writeUInt16BE(0x8180, 2);
  head.writeUInt16BE(address === undefined ? 0 : 1, 6);
  head.fill(0, 8);
  if (address === undefined) return Buffer.concat([head, question]);
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split(".").map(Number)]);
  return Buffer.concat([head, question, record]);
}

/** @param {string} folder */
async function setUp(folder) {
  const ip = (/** @type {string} */ words) => execFileSync("ip", words.split(" "));
  ip("link set lo up");
  for (const address of ["169.254.169.254/32", "10.0.0.1/32"]) ip(`addr add ${address} dev lo`);
  for (const address of ["fd00:ec2::254/128", "fe80::254/128"]) ip(`-6 addr add ${address} dev lo nodad`);
  const names = createSocket("udp4");
  names.on("message", (query, { port, address }) => names.send(answer(query), port, address));
  names.bind(53, "127.0.0.1");
  await once(names, "listening");
  writeFileSync(join(folder, "resolv.conf"), "nameserver 127.0.0.1\noptions timeout:30 attempts:2\n");
  execFileSync("mount", ["--bind", join(folder, "resolv.conf"), "/etc/resolv.conf"]);
  return names;
}

/** Runs a workflow with the built command. @param {string} folder @param {string} url */
async function runCommand(folder, url) {
  writeFileSync(join(folder, "autokestra.config.yaml"), "http: { privateNetworks: deny }\n");
  const task = `{ id: get, type: core/http.get, inputs: { url: "${url}" } }`;
  writeFileSync(join(folder, "get.yaml"), `{ apiVersion: v1, id: get, tasks: [${task}] }`);
  const child = spawn(NODE[0] ?? "", [...NODE.slice(1), CLI, "run", "get.yaml", "--json"], {
    cwd: folder,
    env: environment(folder),
  });
  let output = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  await once(child, "close");
  return output.includes("HTTP_NOT_ALLOWED");
}

async function measure(/** @type {string} */ folder) {
  const names = await setUp(folder);
  /** @type {string[]} */
  const reached = [];
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "", "http://x");
    const to = decodeURIComponent(pathname.slice(1));
    const isRedirect = pathname.length > 1;
    if (!isRedirect) reached.push(String(request.socket.localAddress));
    response.writeHead(isRedirect ? 302 : 200, {
      connection: "close",
      ...(isRedirect && { location: to === "again" ? "/" : to }),
    });
    response.end();
  });
  server.listen(80, "::");
  await once(server, "listening");
  const get = async (/** @type {object} */ options, /** @type {object} */ input) => {
    const action = createHttpPlugin(options).actions.get("core/http.get");
    if (action === undefined) throw new Error("there is no core/http.get");
    return await runAction(action, { timeoutSeconds: 120, ...input }).then(
      () => "reached",
      ({ code }) => String(code),
    );
  };
  const outcomes = [];
  // The first request to this name is allowed and redirects; the second one would go to the metadata service.
  outcomes.push(await get({}, { url: "http://flip.test/again" }));
  for (const host of NEVER) {
    const url = `http://${host}/`;
    outcomes.push(await get({}, { url }));
    outcomes.push(await get({}, { url: `http://10.0.0.1/${encodeURIComponent(url)}`, followRedirects: "always" }));
  }
  const deny = { privateNetworks: "deny", allowHosts: ["10.0.0.1:80"] };
  for (const host of PRIVATE) {
    const url = `http://${host}/`;
    if (host !== "10.0.0.1" && host !== "167772161") outcomes.push(await get(deny, { url }));
    outcomes.push(await get({ privateNetworks: "deny" }, { url }));
  }
  const forms = outcomes.length;
  const refused = outcomes.filter((outcome) => outcome === "HTTP_NOT_ALLOWED").length;
  const isRefused = await runCommand(folder, "http://127.1/");
  const leaks = reached.length;
  const control = await get({}, { url: "http://inner.test/" });
  server.close();
  names.close();
  const figure = `${forms} requests, ${refused} refused, ${leaks} reached; the command refuses too: ${isRefused}; control: ${control}`;
  const pass = refused === forms && leaks === 0 && isRefused && control === "reached";
  return { id: "S1", figure, pass };
}

const isPossible = process.geteuid?.() === 0 && spawnSync("unshare", [...UNSHARE, "ip", "link"]).status === 0;
if (process.argv.includes(INSIDE)) printRows([await inRound("S1", async () => await inFolder(measure))]);
else if (!isPossible) printRows([{ id: "S1", figure: "not run", missing: "unshare --net as root" }]);
else spawnSync("unshare", [...UNSHARE, ...NODE, ...process.argv.slice(1), INSIDE], { stdio: "inherit" });
