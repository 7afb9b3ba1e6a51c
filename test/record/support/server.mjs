import { createServer } from "node:http";
import { text } from "node:stream/consumers";

/**
 * Starts a server on loopback whose answers are the same under every version of Node. The path says which: `/echo` sends back what it
 * got, `/token` a token, `/status/503` that status, `/hang` nothing.
 *
 * @returns {Promise<{ url: string, asked: () => Promise<void>, close: () => void }>} `asked` waits for the next request.
 */
export async function startServer() {
  /** @type {(() => void)[]} */
  const waiting = [];
  const server = createServer((request, response) => {
    for (const resolve of waiting.splice(0)) resolve();
    const path = request.url ?? "";
    if (path === "/hang") return;
    response.setHeader("content-type", "application/json");
    response.statusCode = Number(/^\/status\/(\d+)$/.exec(path)?.[1] ?? 200);
    const { authorization, "x-api-key": key } = request.headers;
    text(request).then(
      (body) => response.end(JSON.stringify(answerTo(path, { method: request.method, authorization, key, body }))),
      () => response.destroy(),
    );
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    asked: async () => await new Promise((resolve) => waiting.push(() => resolve(undefined))),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** @param {string} path @param {object} request */
function answerTo(path, request) {
  if (path === "/token") return { access_token: "token-of-the-server-1", session: { key: "key-of-the-session-2" } };
  return path === "/echo" ? request : { said: "no" };
}
