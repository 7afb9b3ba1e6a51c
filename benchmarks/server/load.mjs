import autocannon from "autocannon";

/** @typedef {import("./servers.mjs").MeasuredServer} MeasuredServer */

/**
 * Sends requests, each for another secret.
 *
 * @param {MeasuredServer} server @param {"" | "/decrypt"} suffix @param {number} amount
 * @returns {Promise<{ rate: number, cpu: number, p99: number }>} Requests a second, microseconds of CPU time of the server for each, and
 * milliseconds.
 */
export async function load(server, suffix, amount) {
  const { address: url, headers, paths, usage } = server;
  const before = await usage();
  const start = performance.now();
  const requests = paths.map((path) => ({ path: path + suffix }));
  const result = await autocannon({ url, headers, requests, connections: CONNECTIONS, amount });
  const elapsed = (performance.now() - start) / 1000;
  const { cpu } = await usage();
  const { "2xx": answered, non2xx, errors, latency } = result;
  if (answered === 0 || non2xx + errors > 0)
    throw new Error(`${url}: ${non2xx} refused and ${errors} failed of ${answered}`);
  return { rate: answered / elapsed, cpu: (cpu - before.cpu) / answered, p99: latency.p99 };
}

const CONNECTIONS = 10;
