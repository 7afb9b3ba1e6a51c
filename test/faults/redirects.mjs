// S2: a redirect to another origin takes no secret along. The built command sends a secret in every part of a request to a
// server that redirects to another one, with each status and policy; the other server counts what reaches it. A control shows
// that a redirect within the origin does take it along.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { inRound, printRows } from "./support/rounds.mjs";
import { ak, CLI, environment, inFolder, NODE } from "./support/sandbox.mjs";

const CANARY = "canary-of-a-redirect-4711";
const TRACES = [CANARY, Buffer.from(`u:${CANARY}`).toString("base64")];
const STATUSES = [301, 302, 303, 307, 308];
const METHODS = ["GET", "POST", "PUT", "DELETE"];
const POLICIES = ["same-origin", "always", "never"];

/** @param {(line: string) => string | null} locationOf What a request with this path is redirected to. */
async function listen(locationOf) {
  /** @type {string[]} */
  const received = [];
  const server = createServer((request, response) => void answer(request, response));
  /** @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response */
  async function answer(request, response) {
    let text = `${request.method} ${request.url}\n${JSON.stringify(request.headers)}\n`;
    for await (const chunk of request) text += chunk;
    received.push(text);
    const location = locationOf(request.url ?? "/");
    const status = Number((request.url ?? "").split("/")[1]);
    response.writeHead(location === null ? 200 : status, location === null ? {} : { location }).end("{}");
  }
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { received, port, close: () => server.close() };
}

/** @param {string} url @param {string} method @param {string} policy @param {number} index */
function task(url, method, policy, index) {
  const secret = "{{ secrets.CANARY }}";
  return {
    id: `t${index}`,
    type: "core/http.request",
    continueOnError: true,
    inputs: {
      url,
      method,
      followRedirects: policy,
      query: { key: secret },
      headers: { "X-Api-Key": secret, Cookie: `session=${secret}`, Referer: `http://x/${secret}` },
      auth: { basic: { username: "u", password: secret } },
      ...(method === "GET" ? {} : { body: { key: secret } }),
    },
  };
}

/** @param {string} folder @param {readonly object[]} tasks */
async function run(folder, tasks) {
  writeFileSync(join(folder, "w.yaml"), JSON.stringify({ apiVersion: "v1", id: "w", secrets: ["CANARY"], tasks }));
  const [node = "", ...options] = NODE;
  const child = spawn(node, [...options, CLI, "run", "w.yaml", "--json"], { cwd: folder, env: environment(folder) });
  let output = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  await once(child, "close");
  return output;
}

/** @param {string} folder */
async function measure(folder) {
  ak(folder, ["secrets", "set", "CANARY"], { input: CANARY });
  const other = await listen(() => null);
  const targets = [
    `http://127.0.0.1:${other.port}/`,
    `//localhost:${other.port}/`,
    `http://u:p@127.0.0.1:${other.port}/`,
    `http://127.0.0.1:${other.port}`,
  ];
  const first = await listen((path) => {
    const [, , target = ""] = path.split("?", 1).join().split("/");
    if (target === "same") return "/";
    return target === "" ? null : (targets[Number(target)] ?? null);
  });
  const origin = `http://127.0.0.1:${first.port}`;
  const cases = STATUSES.flatMap((status) =>
    METHODS.flatMap((method) => POLICIES.flatMap((policy) => targets.map((_, at) => ({ status, method, policy, at })))),
  );
  const tasks = cases.map(({ status, method, policy, at }, index) =>
    task(`${origin}/${status}/${at}`, method, policy, index),
  );
  const output = await run(folder, tasks);
  const sent = first.received.filter((text) => TRACES.some((trace) => text.includes(trace))).length;
  const leaks = other.received.filter((text) => TRACES.some((trace) => text.includes(trace))).length;
  const printed = TRACES.filter((trace) => output.includes(trace)).length;
  const followed = other.received.length;
  first.received.length = 0;
  await run(folder, [task(`${origin}/307/same`, "GET", "same-origin", 0)]);
  const control = first.received.filter((text) => text.includes(CANARY)).length;
  for (const server of [first, other]) server.close();
  const figure = `${cases.length} redirects to another origin, ${sent} with a secret at the first, ${followed} followed, ${leaks} leaks, ${printed} in the output; control: ${control} requests with it`;
  const expected = cases.filter(({ policy }) => policy === "always").length;
  const pass = sent === cases.length && followed === expected && leaks === 0 && printed === 0 && control === 2;
  return { id: "S2", figure, pass };
}

printRows([await inRound("S2", async () => await inFolder(measure))]);
