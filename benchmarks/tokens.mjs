// What a request costs beside few and many tokens: a read of a value, which is recorded, and a wrong token. README.md explains the figures.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSecretsManager, openTokens } from "../packages/secrets/dist/index.js";
import { createServer } from "../packages/server/dist/index.js";
import { measure } from "./measure.mjs";
import { printTable } from "./print-table.mjs";

const SIZES = [10, 1000, 10_000];
const LIMIT = 1.3;
const NEW = { role: "admin", prefixes: null, tags: null, expiresAt: null };
/** The form and checksum are right: it is looked for. */
const WRONG = `ak_${"0".repeat(43)}2PL60u`;

/** A server whose every read is recorded. @param {string} folder @param {number} size */
async function serve(folder, size) {
  const storagePath = join(folder, "secrets");
  const options = { env: {}, storagePath, keyFolder: join(folder, "keys"), audit: true };
  const manager = await openSecretsManager(options);
  const { id } = await manager.secrets.create({ name: "TOKEN", type: "apiKey", fields: { value: "s3cret-v4lue" } });
  const tokens = await openTokens(manager);
  let token = "";
  for (let index = 0; index < size; index++) ({ token } = await tokens.create({ ...NEW, name: `caller-${index}` }));
  const limits = { refusedPerMinute: 1_000_000, requestsPerMinute: 1_000_000 };
  const app = await createServer({ secretsFor: (context) => manager.as(context), tokens, ...limits });
  return {
    /** @param {string} bearer @param {number} status */
    request: (bearer, status) => async () => {
      const headers = { host: "localhost", authorization: `Bearer ${bearer}` };
      const answer = await app.inject({ url: `/api/secrets/${id}/decrypt`, headers });
      if (answer.statusCode !== status) throw new Error(`${status} is wanted, and it answers ${answer.statusCode}`);
    },
    token,
    async close() {
      await app.close();
      tokens.close();
      await manager.secrets.close();
    },
  };
}

const root = mkdtempSync(join(tmpdir(), "autokestra-bench-"));
/** @type {Awaited<ReturnType<typeof serve>>[]} */
const servers = [];
try {
  for (const size of SIZES) servers.push(await serve(join(root, String(size)), size));
  const names = SIZES.map((size) => `${size} tokens`);
  const rows = [["", ...names.map((name) => `${name}, µs CPU`), "most/least", "goal", ""]];
  for (const [what, bearerOf, status] of /** @type {const} */ ([
    ["a value, recorded", (/** @type {{ token: string }} */ { token }) => token, 200],
    ["a wrong token", () => WRONG, 401],
  ])) {
    const ways = servers.map((server, index) => [names[index], server.request(bearerOf(server), status)]);
    const times = Object.values(await measure(Object.fromEntries(ways), { rounds: 15, operations: 200 }));
    const ratio = Math.max(...times) / Math.min(...times);
    rows.push([
      what,
      ...times.map((time) => time.toFixed(0)),
      ratio.toFixed(2),
      LIMIT.toFixed(2),
      ratio <= LIMIT ? "met" : "missed",
    ]);
  }
  printTable("One request, by how many tokens there are", rows);
} finally {
  for (const server of servers) await server.close();
  rmSync(root, { recursive: true });
}
