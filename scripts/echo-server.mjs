import { createServer } from "node:http";
import { text } from "node:stream/consumers";

/**
 * Starts an HTTP server on loopback that answers every request with its method, headers and body, as JSON.
 *
 * @returns {Promise<{ url: string, requests: import("node:http").IncomingHttpHeaders[], close: () => void }>}
 */
export async function startEchoServer() {
  /** @type {import("node:http").IncomingHttpHeaders[]} */
  const requests = [];
  const server = createServer((request, response) => {
    const { method, headers } = request;
    requests.push(headers);
    response.setHeader("content-type", "application/json");
    text(request).then(
      (body) => response.end(JSON.stringify({ method, headers, body })),
      () => response.destroy(),
    );
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return {
    url: `http://127.0.0.1:${address.port}/`,
    requests,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
