// What one would write by hand: fastify with one prepared statement a route, and nothing else. Prints its port. Call: bare.mjs FOLDER SIZE
import { createRequire } from "node:module";
import { join } from "node:path";
import { Database, openRawStore } from "../stores/raw-store.mjs";

const { fastify } = /** @type {typeof import("fastify")} */ (
  createRequire(new URL("../../packages/server/package.json", import.meta.url))("fastify")
);

const [folder = "", size = "0"] = process.argv.slice(2);
const store = openRawStore(join(folder, "bare.db"), Number(size));
const selectMetadata = store.database.prepare(`
  SELECT id, name, type, description, tags, version, created_at AS createdAt, updated_at AS updatedAt, expires_at AS expiresAt
  FROM secrets WHERE name = ?`);

const log = new Database(join(folder, "bare-log.db"));
log.pragma("journal_mode = WAL");
log.pragma("synchronous = FULL");
log.exec(
  "CREATE TABLE log (seq INTEGER PRIMARY KEY, time TEXT, actor TEXT, action TEXT, name TEXT, version INTEGER) STRICT",
);
const insert = log.prepare("INSERT INTO log (time, actor, action, name, version) VALUES (?, ?, ?, ?, ?)");

/** @param {string} name */
function readMetadata(name) {
  const row = /** @type {{ tags: string }} */ (selectMetadata.get(name));
  return { ...row, tags: JSON.parse(row.tags) };
}

const app = fastify();
app.get("/:name", async (request) => readMetadata(/** @type {{ name: string }} */ (request.params).name));
app.get("/:name/decrypt", async (request) => {
  const { name } = /** @type {{ name: string }} */ (request.params);
  const { fields } = store.get(name);
  const metadata = readMetadata(name);
  insert.run(new Date().toISOString(), "token", "read", name, 1);
  return { ...metadata, value: fields.value, fields };
});
console.log(await app.listen({ port: 0, host: "127.0.0.1" }));
process.once("SIGTERM", () => void app.close());
