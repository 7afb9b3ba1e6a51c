// The services that the examples talk to, on this machine alone: `node examples/server.mjs [PORT]`. Port 0 takes a free one.
import { createServer } from "node:http";

/** @type {Record<string, string>} */
const HEALTH = { "web-1": "ok", "web-2": "ok", "db-1": "no disk space" };
const API_KEYS = new Set(["key-1-of-the-demo"]);
const ACCESS_TOKEN = "access-token-of-the-demo";
let deploymentsSeen = 0;
let keysMade = 1;

/** @type {Record<string, (request: Request) => [status: number, body?: object]>} */
const ROUTES = {
  "POST /deployments": (request) =>
    has(request, "Bearer deploy-token-of-the-demo") ? [202, { id: 7, version: "1.4.2" }] : [401],
  // Not known at first: a deployment takes a while.
  "GET /deployments/7": () => (deploymentsSeen++ % 2 === 0 ? [503] : [200, { id: 7, state: "live" }]),
  "POST /keys": (request) => (hasKey(request) ? [201, { key: makeKey() }] : [401]),
  "GET /account": (request) => (hasKey(request) ? [200, { name: "demo" }] : [401]),
  "DELETE /keys/current": (request) => [API_KEYS.delete(request.key) ? 204 : 401],
  "POST /alarms": (request) => (has(request, "Bearer pager-token-of-the-demo") ? [202, { alarm: 1 }] : [401]),
  "POST /oauth/token": (request) =>
    has(request, `Basic ${btoa("demo-client:client-secret-of-the-demo")}`)
      ? [200, { access_token: ACCESS_TOKEN, token_type: "Bearer", expires_in: 60 }]
      : [401, { error: "invalid_client" }],
  "GET /orders": (request) => {
    const page = Number(request.url.searchParams.get("page") ?? "1");
    const next = page < 3 ? `${request.url.origin}/orders?page=${page + 1}` : null;
    return has(request, `Bearer ${ACCESS_TOKEN}`)
      ? [200, { items: [`order-${page}a`, `order-${page}b`], next }]
      : [401];
  },
};

/** @typedef {{ url: URL, authorization: string, key: string }} Request */

/** @param {Request} request @param {string} authorization */
function has(request, authorization) {
  return request.authorization === authorization;
}

/** @param {Request} request */
function hasKey({ key }) {
  return API_KEYS.has(key);
}

function makeKey() {
  keysMade += 1;
  const key = `key-${keysMade}-of-the-demo`;
  API_KEYS.add(key);
  return key;
}

/** @param {Request} request @param {string} method @returns {[status: number, body?: object]} */
function answer(request, method) {
  const { pathname } = request.url;
  const host = /^\/health\/([\w-]+)$/.exec(pathname)?.[1];
  const health = host === undefined ? undefined : HEALTH[host];
  if (health !== undefined) return [health === "ok" ? 200 : 503, { health }];
  return ROUTES[`${method} ${pathname}`]?.(request) ?? [404];
}

const server = createServer((request, response) => {
  const { authorization = "", "x-api-key": key = "" } = request.headers;
  const url = new URL(request.url ?? "/", `http://${request.headers.host}`);
  const [status, body] = answer({ url, authorization, key: String(key) }, request.method ?? "GET");
  request.resume();
  response.writeHead(status, { "content-type": "application/json" });
  response.end(body === undefined ? undefined : JSON.stringify(body));
});
server.listen(Number(process.argv[2] ?? 8080), "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object" && address !== null) console.log(`http://127.0.0.1:${address.port}`);
});
